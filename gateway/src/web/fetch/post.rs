//! What is sent to an address that a client named: back-channel logout. Under the same rules as what is fetched.

use reqwest::header;
use url::form_urlencoded;

use super::{Fetcher, Reach};
use crate::failure::Failure;

impl Fetcher {
    /// Posts this form and gives the status of the answer, whose body nobody reads.
    ///
    /// # Errors
    /// When the address may not be reached, or there is no answer. Messages name the URL without its query.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, Failure> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let build = |client: &reqwest::Client, url| {
            client.post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
        };
        let (_, response) = self.send(url, Reach::Client, build).await?;
        Ok(response.status().as_u16())
    }
}
