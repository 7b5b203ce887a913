//! Every key of the web configuration file: type, default, meaning. The one home of these facts.
//!
//! `web_file` reads by it, unknown keys are measured against it, and the table in `docs/security.md` is printed from
//! it (a test compares).

use crate::config::keys::{Key, plain};

/// All keys, in the order of the documentation.
pub const WEB_KEYS: [Key; 26] = [
    Key::Plain(&plain("tls_server_config", "mapping", "", "TLS. Without it the exporter speaks plain HTTP.")),
    Key::Plain(&plain(
        "tls_server_config.cert_file",
        "path",
        "",
        "The server's certificate and its chain (PEM).",
    )),
    Key::Plain(&plain("tls_server_config.key_file", "path", "", "Its private key (PEM).")),
    Key::Plain(&plain(
        "tls_server_config.cert",
        "text",
        "",
        "The certificate itself, instead of `cert_file`.",
    )),
    Key::Plain(&plain("tls_server_config.key", "secret", "", "The key itself, instead of `key_file`.")),
    Key::Plain(&plain(
        "tls_server_config.client_auth_type",
        "`NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`",
        "`NoClientCert`",
        "Whether clients must show a certificate, and who must have signed it.",
    )),
    Key::Plain(&plain(
        "tls_server_config.client_ca_file",
        "path",
        "",
        "Authorities of the clients' certificates (PEM), or such certificates themselves.",
    )),
    Key::Plain(&plain(
        "tls_server_config.client_ca",
        "text",
        "",
        "The authorities themselves, instead of `client_ca_file`.",
    )),
    Key::Plain(&plain(
        "tls_server_config.client_allowed_sans",
        "list of texts",
        "",
        "A client's certificate must have one of these alternative names (host name, IP address, e-mail address or URI), exactly as it is written here. Needs `RequireAnyClientCert` or `RequireAndVerifyClientCert`.",
    )),
    Key::Plain(&plain(
        "tls_server_config.min_version",
        "`TLS12` or `TLS13`",
        "`TLS12`",
        "The oldest version spoken. `TLS10` and `TLS11` are taken as `TLS12`, with a warning.",
    )),
    Key::Plain(&plain(
        "tls_server_config.max_version",
        "`TLS12` or `TLS13`",
        "`TLS13`",
        "The newest version spoken.",
    )),
    Key::Plain(&plain(
        "tls_server_config.cipher_suites",
        "list of names",
        "all that are supported",
        "Cipher suites of TLS 1.2, by Go's names, the preferred one first; those of TLS 1.3 can't be chosen.",
    )),
    Key::Plain(&plain(
        "tls_server_config.prefer_server_cipher_suites",
        "boolean",
        "`true`",
        "Take the first suite of ours that the client has; else the first of the client's that we have.",
    )),
    Key::Plain(&plain(
        "tls_server_config.curve_preferences",
        "list of names",
        "`X25519`, `CurveP256`, `CurveP384`",
        "Curves of the key exchange, by Go's names, the preferred one first.",
    )),
    Key::Plain(&plain("http_server_config", "mapping", "", "HTTP.")),
    Key::Plain(&plain("http_server_config.http2", "boolean", "`true`", "Speak HTTP/2 beside HTTP/1.1.")),
    Key::Plain(&plain(
        "http_server_config.headers",
        "mapping",
        "",
        "Headers of every response, instead of those that the exporter sends by itself.",
    )),
    Key::Plain(&plain(
        "http_server_config.headers.Content-Security-Policy",
        "text",
        "",
        "What a page may load. Leave out what the status page needs, and it breaks.",
    )),
    Key::Plain(&plain(
        "http_server_config.headers.X-Frame-Options",
        "`deny` or `sameorigin`",
        "",
        "Who may frame the pages.",
    )),
    Key::Plain(&plain(
        "http_server_config.headers.X-Content-Type-Options",
        "`nosniff`",
        "",
        "Sent as it is anyway.",
    )),
    Key::Plain(&plain(
        "http_server_config.headers.X-XSS-Protection",
        "text",
        "",
        "For browsers of long ago.",
    )),
    Key::Plain(&plain(
        "http_server_config.headers.Strict-Transport-Security",
        "text",
        "",
        "Browsers then ask for nothing on this host by plain HTTP, whatever its port: the exporter never sends it by itself.",
    )),
    Key::Plain(&plain(
        "basic_auth_users",
        "mapping",
        "",
        "User names and bcrypt hashes of their passwords. Without any, no user is asked for.",
    )),
    Key::Plain(&plain("rate_limit", "mapping", "", "How many requests are answered; others get 429.")),
    Key::Plain(&plain(
        "rate_limit.interval",
        "duration as Go writes it, such as `100ms` or `1.5s`",
        "`0`",
        "The time between two requests on average; 0: no limit.",
    )),
    Key::Plain(&plain(
        "rate_limit.burst",
        "whole number",
        "`0`",
        "Requests that may come at once; with 0 every request gets 429.",
    )),
];
