//! Signing in and out by a browser, with a provider in this process that can lie.

mod binding;
mod browser;
mod flow;
mod lies;
mod pages;
mod provider;
mod rounds;
mod share;
mod sign_out;
mod stage;
