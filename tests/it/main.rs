//! Integration tests: one binary, whose modules mirror `src/` and the endpoints.

mod config_bad_files;
