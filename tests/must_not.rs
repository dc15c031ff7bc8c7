//! What RFC 6749, RFC 9700 and OpenID Connect Core §3 forbid a provider, or make it refuse: by section, over HTTP, with the whole
//! answer. Rows of the authorization endpoint: authorize_rules.rs, response_types_refused.rs; of its answers in every response
//! type: conformance.rs.

mod pages;
mod registration;
mod token;
