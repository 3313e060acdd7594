//! The documents against the code: what they name exists, and what could be generated is what the code
//! says.

mod architecture;
mod audit;
mod denials;
mod links;
mod place;
mod programs;
