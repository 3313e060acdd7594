//! The messages of `taskgate.demo.Echo`.

/// What is asked.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EchoRequest {
    /// What to send back.
    #[prost(string, tag = "1")]
    pub message: String,
    /// How many answers a stream has; 0 counts as 1.
    #[prost(uint32, tag = "2")]
    pub repeat: u32,
    /// The time between them, in milliseconds.
    #[prost(uint32, tag = "3")]
    pub every_ms: u32,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EchoReply {
    /// Who answers.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What was sent.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The names of the metadata that arrived with the call, sorted.
    #[prost(string, repeated, tag = "3")]
    pub metadata_names: Vec<String>,
}

impl EchoRequest {
    /// A request for one answer.
    #[must_use]
    pub fn new(message: &str) -> Self {
        Self { message: message.to_owned(), repeat: 1, every_ms: 0 }
    }
}
