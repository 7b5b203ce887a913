// The peer in Go: client_golang with the series of the file that it is given, as const metrics built on each scrape,
// the fastest way of that library (kube-state-metrics' predecessors, json_exporter and most others work so).
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	sample = regexp.MustCompile(`^(grid_bulk_job_\w+)\{(.*)\} (\S+)$`)
	label  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

type series struct {
	desc   *prometheus.Desc
	value  float64
	labels []string
}

type collector []series

func (c collector) Describe(descs chan<- *prometheus.Desc) {}

func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range c {
		metrics <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, s.value, s.labels...)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	descs := map[string]*prometheus.Desc{}
	var all collector
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		found := sample.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		var names, texts []string
		for _, pair := range label.FindAllStringSubmatch(found[2], -1) {
			names, texts = append(names, pair[1]), append(texts, pair[2])
		}
		value, err := strconv.ParseFloat(found[3], 64)
		if err != nil {
			log.Fatal(err)
		}
		if descs[found[1]] == nil {
			descs[found[1]] = prometheus.NewDesc(found[1], "As the exporter's.", names, nil)
		}
		all = append(all, series{descs[found[1]], value, texts})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(all)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Fatal(http.Serve(listener, nil))
}
