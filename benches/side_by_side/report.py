"""Makes the table and the picture of what `benches/side-by-side` measured."""
import json
import statistics

TARGETS = {100: 12, 10000: 40, 100000: 250}
COLOURS = {"ours": "#2f6f4f", "limit": "#9aa5a0", "client_golang": "#c9772b", "prometheus_client": "#7a5ea8"}
NAMES = {"ours": "grid-bulk-exporter", "limit": "ready bytes (limit)", "client_golang": "client_golang (Go)",
         "prometheus_client": "prometheus_client (Python)"}


def ratio(result, encoding):
    """The median over the turns of ours / the limit: both of a turn ran within a second of each other."""
    pairs = zip(result["ours"][encoding]["turns_ms"], result["limit"][encoding]["turns_ms"])
    return statistics.median(ours / limit for ours, limit in pairs)


def table(results):
    out = []
    machine = results["machine"]
    out.append(f"Machine: {machine['cores']} cores ({machine['cpu']}), load at the start {machine['load']:.1f}.\n")
    if results["sizes"]:
        out.append("| jobs | server | body MB, plain / gzip | scrape ms, plain / gzip | p99 ms | scrapes a second | CPU ms a scrape | resident MB | times the limit |")
        out.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for size, servers in results["sizes"].items():
        for name, one in servers.items():
            plain, packed = one["plain"], one["gzip"]
            pair = lambda key, digits: f"{plain[key]:,.{digits}f} / {packed[key]:,.{digits}f}"
            if name == "ours":
                times = f"{ratio(servers, 'plain'):.2f} / {ratio(servers, 'gzip'):.2f}"
            else:
                limit = servers["limit"]
                times = " / ".join(f"{one[e]['median_ms'] / limit[e]['median_ms']:,.3g}" for e in ("plain", "gzip"))
            out.append(f"| {int(size):,} | {NAMES[name]} | {plain['bytes'] / 1e6:.2f} / {packed['bytes'] / 1e6:.2f} "
                       f"| {pair('median_ms', 2)} | {pair('p99_ms', 2)} | {pair('per_second', 1)} "
                       f"| {pair('cpu_ms', 2)} | {one['resident_mb']:.0f} | {times} |")
    for size, memory in results["memory"].items():
        out.append(f"\nMemory at {int(size):,} jobs: {memory['before_mb']:.1f} MB, after 100 scrapes "
                   f"{memory['after_100_mb']:.1f} MB (target {TARGETS.get(int(size), '-')}).")
    if "changes" in results:
        for encoding, one in results["changes"].items():
            ours, limit = one["ours"], one["limit"]
            out.append(f"\nAfter changes, 10,000 jobs, {encoding}: {one['changed_between_scrapes']:.0f} jobs changed between scrapes; "
                       f"{ours['median_ms']:.2f} ms beside {limit['median_ms']:.2f} ms: {ours['median_ms'] / limit['median_ms']:.2f} times (target 3).")
    if "load" in results:
        for encoding, one in ((e, results["load"][e]) for e in ("plain", "gzip")):
            ours, limit = one["ours"], one["limit"]
            out.append(f"\nUnder full polling, {encoding}: median {ours['median_ms']:.2f} ms, p99 {ours['p99_ms']:.2f} ms: "
                       f"{ours['p99_ms'] / ours['median_ms']:.1f} times (target 3). Ready bytes beside it: median {limit['median_ms']:.2f} ms, "
                       f"p99 {limit['p99_ms']:.2f} ms: {limit['p99_ms'] / limit['median_ms']:.1f} times.")
        for how, one in results["polls"].items():
            ours, naive = one["ours"], one["naive"]
            out.append(f"\nPolls, {how}: ours {ours['cpu_us']:.1f} µs CPU each at {ours['per_second']:,.0f}/s, rendering included; naive "
                       f"{naive['cpu_us']:.1f} µs at {naive['per_second']:,.0f}/s: {one['ratio']:.2f} times (target 1).")
    if "instructions" in results:
        ours, naive = results["instructions"]["ours"], results["instructions"]["naive"]
        out.append(f"\nInstructions of a poll in user space: ours {ours:,.0f}, naive {naive:,.0f}: {ours / naive:.2f} times (target 1).")
    if "start" in results:
        start = results["start"]
        out.append(f"\nStart, 10,000 jobs: {start['median_ms']:.1f} ms (least {start['least_ms']:.1f}; target 50). "
                   f"Binary {results['binary_mb']:.1f} MB (target 12).")
    return "\n".join(out)


def picture(results):
    """Time of a gzip scrape, as bars on a scale of powers of ten."""
    import math
    rows = []
    for size, servers in results["sizes"].items():
        rows.append((f"{int(size):,} jobs", None, None))
        rows += [(NAMES[name], one["gzip"]["median_ms"], COLOURS[name]) for name, one in servers.items()]
    width, left, line = 760, 220, 22
    values = [value for _, value, _ in rows if value]
    low = min(-1, math.floor(math.log10(min(values))))
    # At least one power apart, though all that was measured be equally fast.
    high = max(low + 1, math.ceil(math.log10(max(values))))
    x = lambda value: left + (math.log10(value) - low) / (high - low) * (width - left - 90)
    height = 60 + line * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           '<text x="16" y="24" font-size="15" font-weight="bold" fill="#222">Time of one scrape, gzip (each mark: ten times more)</text>']
    for power in range(low, high + 1):
        at = x(10 ** power)
        label = f"{10 ** power:g} ms" if power < 3 else f"{10 ** (power - 3):g} s"
        out.append(f'<line x1="{at:.0f}" y1="36" x2="{at:.0f}" y2="{height - 22}" stroke="#ddd"/>'
                   f'<text x="{at:.0f}" y="{height - 8}" text-anchor="middle" fill="#666" font-size="11">{label}</text>')
    y = 40
    for name, value, colour in rows:
        if value is None:
            out.append(f'<text x="16" y="{y + 15}" font-weight="bold" fill="#222">{name}</text>')
        else:
            shown = f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"
            out.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end" fill="#333">{name}</text>'
                       f'<rect x="{left}" y="{y + 4}" width="{max(2, x(max(value, 10 ** low)) - left):.0f}" height="14" fill="{colour}"/>'
                       f'<text x="{x(max(value, 10 ** low)) + 6:.0f}" y="{y + 15}" fill="#333">{shown}</text>')
        y += line
    out.append("</svg>\n")
    return "\n".join(out)


def short_table(results):
    """For the README: the time of a scrape, plain / gzip, and memory."""
    out = ["| jobs | grid-bulk-exporter | limit: ready bytes | client_golang | prometheus_client |",
           "| --- | --- | --- | --- | --- |"]
    for size, servers in results["sizes"].items():
        cells = [f"{int(size):,}"]
        for name in ("ours", "limit", "client_golang", "prometheus_client"):
            one = servers.get(name)
            times = [one[encoding]["median_ms"] for encoding in ("plain", "gzip")] if one else []
            cells.append(" / ".join(f"{ms:,.2f}" if ms < 10 else f"{ms:,.0f}" for ms in times) + " ms" if times else "not measured")
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def put_into(file, text):
    """Replaces what stands between the marks."""
    begin, end = "<!-- side-by-side: begin -->\n", "<!-- side-by-side: end -->"
    before, _, rest = file.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"side-by-side: {file.name} has no marks for the table")
    file.write_text(f"{before}{begin}{text.strip()}\n{end}{after}")


def write_docs(results, root):
    put_into(root / "README.md", short_table(results))
    put_into(root / "docs" / "performance.md", table(results))
    (root / "docs" / "images" / "scrape.svg").write_text(picture(results))


def write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "table.md").write_text(table(results) + "\n")
    if results["sizes"]:
        (folder / "scrape.svg").write_text(picture(results))
