//! Nothing: the tests of `deploy/` are in `tests/`.
