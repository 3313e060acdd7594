//! People with a browser: headless Chromium through the real Envoy with TLS, and a provider that they sign in with.

mod devtools;
mod moved;
mod share;
mod sign_in;
mod sign_out;
mod site;
