//! Names of the DNS as addresses of services.
//!
//! The gate takes IP addresses alone. Where an operator writes a name instead, it is asked for here, anew before each
//! answer ends, and its addresses become endpoints. [`name`] is what a name looks like, [`lookup`] asks the servers,
//! [`record`] is what is known of one question, [`names`] keeps all of a provider's, [`settings`] is what operators say.
//!
//! A server that is away or broken takes no address away: what was known last stays. That a name is gone counts once
//! it was said twice in a row. No name that a user wrote gets here, and no answer leads to this machine or to the
//! link unless an operator permits it: whoever has the name must not choose what the gate reaches.

pub mod lookup;
pub mod name;
pub mod names;
pub mod record;
pub mod settings;
