//! The provider, as the `openidconnect` crate sees it.

use std::pin::Pin;
use std::time::{Duration, Instant};

use openidconnect::core::{CoreClient, CoreTokenResponse};
use openidconnect::{
    AsyncHttpClient, ClientId, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl,
    OAuth2TokenResponse, ProviderMetadataWithLogout, RedirectUrl,
};

use crate::Error;

/// A client that knows its provider's endpoints.
pub type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Where people sign in, and who we are there.
pub struct Provider {
    pub issuer: IssuerUrl,
    pub client_id: ClientId,
    pub redirect_uri: RedirectUrl,
    pub http: Http,
}

impl Provider {
    /// Discovery and keys, each time anew because keys rotate; a busy application keeps the answer for some minutes.
    pub async fn discover(&self) -> Result<(Client, ProviderMetadataWithLogout), Error> {
        let metadata = ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &self.http).await?;
        let client = CoreClient::from_provider_metadata(metadata.clone(), self.client_id.clone(), None);
        Ok((client.set_redirect_uri(self.redirect_uri.clone()), metadata))
    }
}

/// What the provider gave for one person.
pub struct Tokens {
    pub response: CoreTokenResponse,
    /// A little before they expire, so that they do not expire on their way to the database.
    pub fresh_until: Instant,
}

impl Tokens {
    pub fn of(response: CoreTokenResponse) -> Self {
        let lifetime = response.expires_in().unwrap_or_default().saturating_sub(Duration::from_secs(10));
        Self { response, fresh_until: Instant::now() + lifetime }
    }
}

/// Lends an HTTP client of ours to the crate.
pub struct Http(reqwest::Client);

impl Http {
    /// Redirects are not followed: a provider could send our requests anywhere.
    pub fn new() -> Result<Self, Error> {
        Ok(Self(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let answer = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}
