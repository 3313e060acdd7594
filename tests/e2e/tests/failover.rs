//! What happens to requests when jobs are dead, vanish, or die at work.

mod black_hole;
mod broken;
mod dead;
mod refused_stream;
