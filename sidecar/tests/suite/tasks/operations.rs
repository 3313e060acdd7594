//! Operations on datasets, on a real server, with numpy as the judge of what comes out.

mod budget;
mod checksum;
mod factor;
mod numpy;
mod refusals;
mod resume;
mod stage;
