//! What a person is told who can't go on: each reason with a stable code, and one place where it gets its words.

use http::StatusCode;

/// Why somebody can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Is known, and may not use the service.
    AccessDenied,
    /// Nobody can say now whether the service may be used.
    AccessUnavailable,
    /// A page of somebody else's asked for something that only our own may ask for.
    ForeignOrigin,
    /// Something that should not happen.
    Internal,
    /// The request makes no sense.
    Malformed,
    /// The sign-in did not begin in this browser, or the browser keeps no cookies.
    NotBegunHere,
    /// The sign-in provider can't be reached.
    ProviderDown,
    /// The sign-in provider said no.
    ProviderRefused,
    /// What the sign-in provider said does not hold.
    Rejected,
    /// The browser comes back again and again.
    RoundAndRound,
    /// The share link is over.
    ShareEnded,
    /// Nobody can sign in here.
    SignInOff,
    /// The sign-in took too long.
    TooLate,
    /// There is no such service, for this person at least.
    UnknownService,
}

/// What a notice means to a person.
#[derive(Clone, Copy, Debug)]
pub struct Meaning {
    /// The status.
    pub status: StatusCode,
    /// What it is, for programs and for whoever is asked for help.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What happened, and what to do next.
    pub text: &'static str,
    /// What is offered.
    pub offer: Offer,
    /// When to come again, in seconds.
    pub retry_after_secs: Option<u32>,
}

/// What a person is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// To sign in again.
    Again,
    /// To sign in as somebody else.
    AsAnother,
    /// Nothing.
    Nothing,
}

impl Notice {
    /// What it means.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::AccessDenied => meaning(
                StatusCode::FORBIDDEN,
                "access-denied",
                "Access denied",
                "You are signed in, but may not use this service. Ask its owner for access, or for a share link.",
                Offer::AsAnother,
            ),
            Self::AccessUnavailable => Meaning {
                retry_after_secs: Some(5),
                ..meaning(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "verdict-unavailable",
                    "Try again in a moment",
                    "It can't be said right now whether you may use this service.",
                    Offer::Again,
                )
            },
            Self::ForeignOrigin => meaning(
                StatusCode::FORBIDDEN,
                "origin-not-allowed",
                "Not from that page",
                "Another page tried to sign you out. Use the button on this host's own page.",
                Offer::Nothing,
            ),
            Self::Internal => meaning(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal-error",
                "Something broke",
                "Please tell the operator; the sidecar's log says more.",
                Offer::Again,
            ),
            Self::Malformed => meaning(
                StatusCode::BAD_REQUEST,
                "malformed-request",
                "That address is incomplete",
                "This page is part of signing in and makes no sense by itself. Begin again.",
                Offer::Again,
            ),
            Self::NotBegunHere => meaning(
                StatusCode::BAD_REQUEST,
                "sign-in-not-begun-here",
                "This sign-in did not begin in this browser",
                "Either it was begun in another browser or completed before, or this browser keeps no cookies for this \
                 site. Allow cookies, and begin again.",
                Offer::Again,
            ),
            Self::ProviderDown => Meaning {
                retry_after_secs: Some(10),
                ..meaning(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "sign-in-unavailable",
                    "Signing in does not work right now",
                    "The identity provider can't be reached. Nothing is wrong with your account; try again in a moment.",
                    Offer::Again,
                )
            },
            Self::ProviderRefused => meaning(
                StatusCode::FORBIDDEN,
                "sign-in-refused",
                "The identity provider did not sign you in",
                "You may have cancelled, or may not use this application. Begin again, or ask whoever runs the identity \
                 provider.",
                Offer::AsAnother,
            ),
            Self::Rejected => meaning(
                StatusCode::FORBIDDEN,
                "sign-in-rejected",
                "The sign-in does not hold",
                "What the identity provider said could not be verified. Begin again; if it stays so, tell the operator.",
                Offer::Again,
            ),
            Self::RoundAndRound => Meaning {
                retry_after_secs: Some(60),
                ..meaning(
                    StatusCode::TOO_MANY_REQUESTS,
                    "sign-in-loop",
                    "Signing in leads round and round",
                    "You were signed in several times within a minute and came back each time. Check that this browser \
                     keeps cookies for this site and that the machine's clock is right, then begin again.",
                    Offer::Again,
                )
            },
            Self::ShareEnded => meaning(
                StatusCode::GONE,
                "share-ended",
                "The link has ended",
                "It was used as often as it may be, was taken back, or its time is over. Ask who gave it to you for \
                 another.",
                Offer::Nothing,
            ),
            Self::SignInOff => meaning(
                StatusCode::NOT_FOUND,
                "sign-in-off",
                "Nobody can sign in here",
                "This installation has no identity provider. Use a link with a token, or ask the service's owner for a \
                 share link.",
                Offer::Nothing,
            ),
            Self::TooLate => meaning(
                StatusCode::BAD_REQUEST,
                "sign-in-expired",
                "That took too long",
                "A sign-in has to be completed within ten minutes. Begin again.",
                Offer::Again,
            ),
            Self::UnknownService => meaning(
                StatusCode::NOT_FOUND,
                "unknown-service",
                "There is no such service",
                "It may have ended, or you may not know of it. Check the address, or ask who gave it to you.",
                Offer::AsAnother,
            ),
        }
    }
}

const fn meaning(
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    text: &'static str,
    offer: Offer,
) -> Meaning {
    Meaning { status, code, title, text, offer, retry_after_secs: None }
}
