//! Stock NGINX as Debian ships it, with `nginx-config/auth_request.conf` as operators copy it.

mod answers;
mod failover;
mod gate;
mod jobs;
mod outages;
mod refusals;
mod sessions;
mod spoofing;
mod tunnels;
mod words;
