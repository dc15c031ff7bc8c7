//! The sections that are not about the database. Times are whole seconds unless the name says otherwise.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::Deserialize;

use super::client_certificates::{CertificateChain, CertificateEncoding, HeaderField};
use crate::web::issuer::Issuer;

/// `[http]`: the public listener.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address of the public listener [default: 127.0.0.1:8080]
    #[arg(id = "http_listen", long = "listen", env = "GATEWAY_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM); with it the listener speaks TLS. Read again on SIGHUP
    #[arg(
        id = "http_tls_certificate",
        long = "tls-certificate",
        env = "GATEWAY_TLS_CERTIFICATE_FILE",
        value_name = "FILE"
    )]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(id = "http_tls_key", long = "tls-key", env = "GATEWAY_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Proxies that are believed whom a request comes from, comma separated [default: none]
    #[arg(
        id = "http_trusted_proxies",
        long = "trusted-proxies",
        env = "GATEWAY_TRUSTED_PROXIES",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say it; X-Forwarded-Proto goes with x-forwarded-for [default: x-forwarded-for]
    #[arg(
        id = "http_trusted_proxy_header",
        long = "trusted-proxy-header",
        env = "GATEWAY_TRUSTED_PROXY_HEADER",
        value_name = "x-forwarded-for|forwarded"
    )]
    pub trusted_proxy_header: ProxyHeader,
    /// The header in which they hand on the certificate of a client (RFC 9440: Client-Cert) [default: none]
    #[arg(
        id = "http_client_certificate_header",
        long = "client-certificate-header",
        env = "GATEWAY_CLIENT_CERTIFICATE_HEADER",
        value_name = "HEADER"
    )]
    pub client_certificate_header: Option<HeaderField>,
    /// How the certificate is written there [default: rfc9440]
    #[arg(
        id = "http_client_certificate_encoding",
        long = "client-certificate-encoding",
        env = "GATEWAY_CLIENT_CERTIFICATE_ENCODING",
        value_name = "rfc9440|pem|base64"
    )]
    pub client_certificate_encoding: CertificateEncoding,
    /// Whether they hand on only certificates whose chain they have verified [default: unverified]
    #[arg(
        id = "http_client_certificate_chain",
        long = "client-certificate-chain",
        env = "GATEWAY_CLIENT_CERTIFICATE_CHAIN",
        value_name = "verified|unverified"
    )]
    pub client_certificate_chain: CertificateChain,
    /// In place of the issuer where TLS asks for a certificate, for mtls_endpoint_aliases (RFC 8705 §5) [default: none]
    #[arg(
        id = "http_mtls_endpoint_aliases",
        long = "mtls-endpoint-aliases",
        env = "GATEWAY_MTLS_ENDPOINT_ALIASES",
        value_name = "URL"
    )]
    pub mtls_endpoint_aliases: Option<Issuer>,
    /// Seconds a client may take to send a request's head [default: 10]
    #[arg(id = "http_header_timeout", long = "header-timeout", env = "GATEWAY_HEADER_TIMEOUT", value_name = "SECONDS")]
    pub header_timeout: u64,
    /// Seconds a connection may stay open between two requests; longer than a proxy before it keeps one [default: 75]
    #[arg(id = "http_idle_timeout", long = "idle-timeout", env = "GATEWAY_IDLE_TIMEOUT", value_name = "SECONDS")]
    pub idle_timeout: u64,
    /// Seconds a request may take, its body included [default: 30]
    #[arg(
        id = "http_request_timeout",
        long = "request-timeout",
        env = "GATEWAY_REQUEST_TIMEOUT",
        value_name = "SECONDS"
    )]
    pub request_timeout: u64,
    /// Seconds a client may take to read a response [default: 30]
    #[arg(id = "http_send_timeout", long = "send-timeout", env = "GATEWAY_SEND_TIMEOUT", value_name = "SECONDS")]
    pub send_timeout: u64,
    /// Seconds running requests get to finish after SIGTERM [default: 20]
    #[arg(
        id = "http_shutdown_timeout",
        long = "shutdown-timeout",
        env = "GATEWAY_SHUTDOWN_TIMEOUT",
        value_name = "SECONDS"
    )]
    pub shutdown_timeout: u64,
    /// Greatest request body in bytes [default: 65536]
    #[arg(id = "http_body_limit", long = "body-limit", env = "GATEWAY_BODY_LIMIT", value_name = "BYTES")]
    pub body_limit: usize,
    /// Connections at once; further ones are closed, and idle ones make room sooner [default: 4096]
    #[arg(id = "http_connections", long = "connections", env = "GATEWAY_CONNECTIONS", value_name = "COUNT")]
    pub connections: usize,
    /// Connections at once from one address (IPv6: from one /64) that is no trusted proxy; 0 = no limit [default: 256]
    #[arg(
        id = "http_connections_per_source",
        long = "connections-per-source",
        env = "GATEWAY_CONNECTIONS_PER_SOURCE",
        value_name = "COUNT"
    )]
    pub connections_per_source: usize,
    /// SameSite of the session cookie: none where applications of other sites renew in an iframe [default: lax]
    #[arg(
        id = "http_session_cookie_same_site",
        long = "session-cookie-same-site",
        env = "GATEWAY_SESSION_COOKIE_SAME_SITE",
        value_name = "lax|none"
    )]
    pub session_cookie_same_site: SameSite,
}

/// The header that a proxy writes. A proxy lets the other one through as its client wrote it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// X-Forwarded-For and X-Forwarded-Proto: nginx, HAProxy, the load balancers of the large clouds
    XForwardedFor,
    /// RFC 7239
    Forwarded,
}

/// Whether a cookie goes along when another site asks (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Only when a person follows a link
    Lax,
    /// Always, in frames too
    None,
}

impl SameSite {
    /// As the cookie says it.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

impl Http {
    /// Whether this address is that of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            trusted_proxy_header: ProxyHeader::XForwardedFor,
            client_certificate_header: None,
            client_certificate_encoding: CertificateEncoding::Rfc9440,
            // Who forgets to say it must not have everybody believed.
            client_certificate_chain: CertificateChain::Unverified,
            mtls_endpoint_aliases: None,
            header_timeout: 10,
            // As nginx; the load balancers of the large clouds keep an idle connection for 60 seconds, and whoever closes
            // first loses requests that are under way.
            idle_timeout: 75,
            request_timeout: 30,
            send_timeout: 30,
            shutdown_timeout: 20,
            body_limit: 64 * 1024,
            connections: 4096,
            // A large office behind one address fits; it takes sixteen of them to fill this gateway.
            connections_per_source: 256,
            session_cookie_same_site: SameSite::Lax,
        }
    }
}

/// `[limits]`: how much one source address may ask for. An IPv6 source is its /64.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per second and source in the long run; 0 = no limit [default: 100]
    #[arg(id = "limits_per_second", long = "limit-per-second", env = "GATEWAY_LIMIT_PER_SECOND", value_name = "COUNT")]
    pub per_second: u32,
    /// Requests a source may send at once after a pause [default: 500]
    #[arg(id = "limits_burst", long = "limit-burst", env = "GATEWAY_LIMIT_BURST", value_name = "COUNT")]
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_second: 100, burst: 500 }
    }
}

/// `[maintenance]`: the timer that calls `identity.maintenance_run()`.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maintenance {
    /// Seconds between two runs; 0 = never, somebody else calls it [default: 600]
    #[arg(
        id = "maintenance_interval",
        long = "maintenance-interval",
        env = "GATEWAY_MAINTENANCE_INTERVAL",
        value_name = "SECONDS"
    )]
    pub interval: u64,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self { interval: 600 }
    }
}

/// `[metrics]`: Prometheus.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address of the listener that serves /metrics; keep it private [default: none]
    #[arg(id = "metrics_listen", long = "metrics-listen", env = "GATEWAY_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

/// `[log]`: lines on standard error.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Form of the log lines [default: text]
    #[arg(id = "log_format", long = "log-format", env = "GATEWAY_LOG_FORMAT", value_enum)]
    pub format: LogFormat,
    /// What is logged, in tracing's filter language [default: info]
    #[arg(id = "log_filter", long = "log-filter", env = "GATEWAY_LOG_FILTER", value_name = "FILTER")]
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// `[telemetry]`: OpenTelemetry.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// OTLP/HTTP endpoint for traces, such as http://localhost:4318/v1/traces [default: none]
    #[arg(
        id = "telemetry_endpoint",
        long = "telemetry-endpoint",
        env = "GATEWAY_TELEMETRY_ENDPOINT",
        value_name = "URL"
    )]
    pub endpoint: Option<url::Url>,
    /// Name of this service in traces [default: pg_identity-gateway]
    #[arg(
        id = "telemetry_service_name",
        long = "telemetry-service-name",
        env = "GATEWAY_TELEMETRY_SERVICE_NAME",
        value_name = "NAME"
    )]
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { endpoint: None, service_name: "pg_identity-gateway".to_owned() }
    }
}
