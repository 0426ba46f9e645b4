//! What goes over a wire, without the wire: framing and parsing that neither reads nor writes.

pub mod sse;
