//! Files in parts, as a client with nothing but HTTP puts them: against the API of data and servers of objects.

mod azure;
mod lifetime;
mod radosgw;
mod s3;
mod stage;
