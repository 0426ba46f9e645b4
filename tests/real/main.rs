//! Real servers and real clients.
