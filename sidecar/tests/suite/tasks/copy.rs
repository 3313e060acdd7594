//! Copies of objects on a real HSDS server, judged by h5py's copies of the same trees in files.

mod crash;
mod oracle;
mod order;
mod places;
mod stage;
mod stops;
mod wide;
