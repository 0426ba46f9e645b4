//! Parts shared by the stub servers.
