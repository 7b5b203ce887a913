//! Integration tests: one binary, whose modules mirror `src/` and the endpoints.
