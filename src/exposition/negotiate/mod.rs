//! What the scraper accepts, by `Accept` and `Accept-Encoding` with their q-values (RFC 9110, section 12.5). Called by
//! `web`.
//!
//! `items` reads the lists of both headers, `format` chooses among the formats, `encoding` among the compressions.
//! Nothing is refused: who asks for what we don't have gets text 0.0.4 as it is, as from every client library.

mod encoding;
mod format;
mod items;

pub use encoding::Encoding;
pub use format::{Accepted, Escaping, Format};
