"""Frames of HTTP/2 by hand, so that a client can do what no library would.

Used by attacks.py. Only what the attacks need: requests whose headers are literal (RFC 7541 without a table).
"""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header, neither compressed nor remembered; both parts shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(path=b"/metrics", method=b"GET"):
    pairs = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"x")]
    return b"".join(literal(name, value) for name, value in pairs)


def request(stream, path=b"/metrics", end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, request_headers(path))


def connect(address, window=None):
    """A connection on which the settings are said; `window` is how much each stream may be sent."""
    connection = socket.create_connection(address, 10)
    settings = b"" if window is None else struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return connection
