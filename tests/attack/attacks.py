"""What ill-behaved clients do, each for some seconds. Used by run.py; a function that raises has found a fault.

Each takes the server's address and the time until which it goes on.
"""
import itertools
import select
import socket
import struct
import time

import h2

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(address, receive_buffer=None):
    connection = socket.socket(socket.AF_INET)
    connection.settimeout(10)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(address)
    return connection


def saying(start, receive_buffer=None):
    """What opens a connection and says this on it."""

    def make(address):
        connection = connect(address, receive_buffer)
        connection.sendall(start)
        return connection

    return make


def hold(address, until, count, make, step=lambda connection: None):
    """Keeps `count` connections that `make` opens, does `step` with each in turn, and opens those anew that are closed."""
    connections = []
    while time.monotonic() < until:
        while len(connections) < count and time.monotonic() < until:
            try:
                connections.append(make(address))
            except OSError:
                break
        alive = []
        for connection in connections:
            try:
                step(connection)
                alive.append(connection)
            except OSError:
                connection.close()
        connections = alive
        time.sleep(0.05)
    for connection in connections:
        connection.close()


def idle(address, until):
    """10,000 connections on which nothing is ever said. Those that the server closed are not missed."""
    hold(address, until, 10_000, connect)


def idle_after_a_scrape(address, until):
    """3,000 connections that ask once and then stay."""
    hold(address, until, 3000, saying(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"))


def slowloris(address, until):
    """1,500 heads that come a line at a time and never end."""
    make = saying(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    hold(address, until, 1500, make, lambda connection: connection.sendall(b"X-a: b\r\n"))


def slow_body(address, until):
    """500 bodies of the admin API that come a byte at a time."""
    head = b"PUT /api/v1/jobs/Job:x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
    hold(address, until, 500, saying(head), lambda connection: connection.sendall(b" "))


def large_heads_and_bodies(address, until):
    """Heads of 1 MiB and bodies of 10 MiB; they are refused before they are read whole."""
    while time.monotonic() < until:
        for start in [
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-a: " + b"a" * (1 << 20),
            b"GET /" + b"a" * (1 << 20),
            b"PUT /api/v1/jobs/Job:x HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n" + b"a" * (10 << 20),
        ]:
            connection = connect(address)
            try:
                connection.sendall(start)
                answer = connection.recv(100)
                if answer and answer.split(b" ")[1] not in (b"400", b"413", b"414", b"431"):
                    raise RuntimeError(f"answered with {answer!r}")
            except (ConnectionError, socket.timeout):
                pass  # Closed while we still sent.
            finally:
                connection.close()


def never_reads(address, until):
    """60 scrapers, and 40 readers of the page and the JSON API, that take nothing."""

    def make(path):
        return saying(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n", receive_buffer=4096)

    readers = [make(b"/metrics")] * 3 + [make(b"/"), make(b"/api/v1/jobs")]
    turn = itertools.count()
    hold(address, until, 100, lambda address: readers[next(turn) % len(readers)](address))


def drip_reader(address, until):
    """60 scrapers that take a byte now and then."""
    hold(address, until, 60, saying(GET, receive_buffer=4096), lambda connection: connection.recv(1))


def pipelining(address, until):
    """Each of a hundred requests sent at once is answered, in its order."""
    while time.monotonic() < until:
        connection = connect(address)
        connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 100 + b"GET /last HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        found = answer.count(b"HTTP/1.1 200 OK"), answer.count(b"HTTP/1.0 404 Not Found")
        if found != (100, 1):
            raise RuntimeError(f"{found} answers to 100 and 1 requests")


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /api/v1/jobs/Job:x HTTP/1.1\r\nHost: x\r\n"
SHAPES = {
    "length and encoding": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "encoding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "two lengths in one": POST + b"Content-Length: 0, 5\r\n\r\n",
    "length with a sign": POST + b"Content-Length: +0\r\n\r\n",
    "length in hex": POST + b"Content-Length: 0x0\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded line": POST + b"X-a: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded encoding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare line feed in a head": b"GET / HTTP/1.1\r\nX-a: b\nContent-Length: 0\r\n\r\n",
    "bare line feed at the end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "carriage return in a value": b"GET / HTTP/1.1\r\nX-a: b\rContent-Length: 0\r\n\r\n",
    "null in a name": b"GET / HTTP/1.1\r\nX\0a: b\r\n\r\n",
    "encoding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "encoding that ends otherwise": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "encoding in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk with a long size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20 + b"ffffffffffffffff\r\n",
    "line feed after a chunk's size": POST + b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
}


def smuggling(address, until):
    """Nothing behind a request that can be read in two ways is taken for a request; nor behind a body."""
    shapes = itertools.cycle(SHAPES.items())
    for name, shape in itertools.chain(SHAPES.items(), itertools.takewhile(lambda _: time.monotonic() < until, shapes)):
        connection = connect(address)
        answer = b""
        try:
            connection.sendall(shape + SMUGGLED)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass  # Closed while we still sent.
        if b"/smuggled" in answer or answer.count(b"HTTP/1.") > 1:
            raise RuntimeError(f"{name}: {answer!r}")
        head = answer.split(b"\r\n\r\n")[0]
        if b"HTTP/1." in head and b" 400 " not in head and b"connection: close" not in head.lower():
            raise RuntimeError(f"{name} is answered, and the connection goes on: {answer!r}")


def flood(address, until, make_frames, batch, window=None):
    """Sends what `make_frames` gives for each stream's number, on one connection after the other."""
    while time.monotonic() < until:
        connection = h2.connect(address, window)
        stream = 1
        try:
            while time.monotonic() < until and stream < 1 << 30:
                connection.sendall(b"".join(make_frames(stream + 2 * offset) for offset in range(batch)))
                stream += 2 * batch
                # What is answered is thrown away, so that the server can go on; or it has closed.
                while select.select([connection], [], [], 0)[0]:
                    if not connection.recv(65536):
                        raise ConnectionError
        except (OSError, struct.error):
            pass
        finally:
            connection.close()


def rapid_reset(address, until):
    cancel = struct.pack(">I", 8)
    flood(address, until, lambda stream: h2.request(stream) + h2.frame(h2.RST_STREAM, 0, stream, cancel), 100)


def continuations(address, until):
    """One head that never ends."""

    def more(stream):
        start = h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.request_headers()) if stream == 1 else b""
        return start + h2.frame(h2.CONTINUATION, 0, 1, h2.literal(b"x-a", b"b" * 100) * 10)

    flood(address, until, more, 50)


def settings(address, until):
    flood(address, until, lambda _: h2.frame(h2.SETTINGS, 0, 0), 500)


def pings(address, until):
    flood(address, until, lambda _: h2.frame(h2.PING, 0, 0, b"12345678"), 500)


def empty_data(address, until):
    def more(stream):
        start = h2.request(1, b"/api/v1/jobs/Job:x", end=False) if stream == 1 else b""
        return start + h2.frame(h2.DATA, 0, 1)

    flood(address, until, more, 500)


def closed_windows(address, until):
    """60 connections of 64 scrapes each that may never be sent."""

    def make(address):
        connection = h2.connect(address, window=0)
        connection.sendall(b"".join(h2.request(1 + 2 * number) for number in range(64)))
        return connection

    hold(address, until, 60, make)


def half_handshakes(address, until):
    """1,500 handshakes of TLS that begin and never go on."""
    hold(address, until, 1500, saying(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))


PLAIN = [
    idle,
    idle_after_a_scrape,
    slowloris,
    slow_body,
    large_heads_and_bodies,
    never_reads,
    drip_reader,
    pipelining,
    smuggling,
    rapid_reset,
    continuations,
    settings,
    pings,
    empty_data,
    closed_windows,
]
TLS = [idle, half_handshakes]
