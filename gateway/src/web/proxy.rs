//! Where a request really comes from. `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed from the
//! configured proxies only: anybody else could write them to escape the rate limit or to blame another address.

use std::net::IpAddr;

/// Who sent the request, in its extensions: `Extension(source): Extension<Source>`.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The client's address, behind the trusted proxies.
    pub address: IpAddr,
}
