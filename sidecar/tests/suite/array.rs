//! Arrays against numpy itself, which `make hsds` installs: the same bytes in, the same types and bytes out.

mod casts;
mod judge;
mod oracle;
mod reductions;
mod samples;
mod types;
mod values;
