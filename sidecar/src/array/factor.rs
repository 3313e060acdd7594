//! Prime factors.
