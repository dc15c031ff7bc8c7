//! Names in certificates and in registrations, in the one form in which they are compared (RFC 8705 §2.1.2).
//!
//! A distinguished name is compared as RFC 5280 §7.1 says: relative names in their order, the attributes of each in any, their types as
//! object identifiers, and text prepared as by RFC 4518, so that case, width, white space and the kind of string do not count.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::net::IpAddr;
use std::str::Bytes;

use x509_cert::der::asn1::{Any, BmpString, ObjectIdentifier};
use x509_cert::der::oid::db::DB;
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::names;

/// What a client may be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 4514, of the subject.
    SubjectDn,
    /// A dNSName among the alternative names of the subject.
    SanDns,
    /// A uniformResourceIdentifier.
    SanUri,
    /// An iPAddress.
    SanIp,
    /// An rfc822Name.
    SanEmail,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::SubjectDn, Self::SanDns, Self::SanUri, Self::SanIp, Self::SanEmail];

    /// RFC 8705 §2.1.2.
    pub const fn member(self) -> &'static str {
        match self {
            Self::SubjectDn => "tls_client_auth_subject_dn",
            Self::SanDns => "tls_client_auth_san_dns",
            Self::SanUri => "tls_client_auth_san_uri",
            Self::SanIp => "tls_client_auth_san_ip",
            Self::SanEmail => "tls_client_auth_san_email",
        }
    }

    /// That of this metadata member.
    pub fn of(member: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.member() == member)
    }

    /// A registered name; `None` when it is none of this kind.
    pub fn registered(self, value: &str) -> Option<String> {
        // What no such name holds is none, also in certificates: a NUL has hidden the rest of a name from some (CVE-2009-2408).
        let visible = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        match self {
            Self::SubjectDn => relative_names(value).map(written),
            // RFC 5280 §7.2: case does not count. No wildcard: a client has a name.
            Self::SanDns => (visible && !value.contains('*')).then(|| value.to_ascii_lowercase()),
            Self::SanUri => (visible && value.contains(':')).then(|| value.to_owned()),
            // RFC 8705 §2.1.2: compared as an address, not as text.
            Self::SanIp => value.parse().ok().map(|address: IpAddr| address.to_string()),
            // RFC 5280 §7.5: the local part byte for byte, the host without case.
            Self::SanEmail => {
                let (local, host) =
                    value.rsplit_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty())?;
                visible.then(|| format!("{local}@{}", host.to_ascii_lowercase()))
            }
        }
    }

    /// An alternative name of a certificate, if it is of this kind.
    pub fn alternative(self, name: &GeneralName) -> Option<String> {
        match (self, name) {
            (Self::SanDns, GeneralName::DnsName(text))
            | (Self::SanUri, GeneralName::UniformResourceIdentifier(text))
            | (Self::SanEmail, GeneralName::Rfc822Name(text)) => self.registered(text.as_str()),
            (Self::SanIp, GeneralName::IpAddress(octets)) => {
                let octets = octets.as_bytes();
                let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
                let address = four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
                Some(address.to_string())
            }
            _ => None,
        }
    }
}

/// The subject of a certificate.
pub fn distinguished(name: &Name) -> Option<String> {
    let relative = name.0.iter().map(|relative| {
        relative.0.iter().map(|attribute| compared(attribute.oid, &attribute.value)).collect::<Option<Vec<String>>>()
    });
    Some(written(relative.collect::<Option<_>>()?))
}

/// A JSON text: no value can look like the border between two.
fn written(mut relative: Vec<Vec<String>>) -> String {
    relative.iter_mut().for_each(|attributes| attributes.sort_unstable());
    serde_json::json!(relative).to_string()
}

/// An attribute. What is no text is compared by its bytes.
fn compared(oid: ObjectIdentifier, value: &Any) -> Option<String> {
    match text(value) {
        Some(text) => Some(prepared(oid, &text)),
        None => {
            let mut written = format!("{oid}#");
            value.to_der().ok()?.iter().try_for_each(|byte| write!(written, "{byte:02x}")).ok()?;
            Some(written)
        }
    }
}

/// RFC 4518 §2: case folded, NFKC, without what is invisible, and with one space where there is white space.
fn prepared(oid: ObjectIdentifier, text: &str) -> String {
    let folded = names::normalized(text);
    format!("{oid}={}", folded.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(value.value()).ok().map(str::to_owned),
        // Nobody agrees what the upper half of a TeletexString is.
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::NumericString | Tag::VisibleString => {
            value.value().is_ascii().then(|| String::from_utf8_lossy(value.value()).into_owned())
        }
        Tag::BmpString => BmpString::from_ucs2(value.value()).ok().map(|text| text.to_string()),
        _ => None,
    }
}

/// RFC 4514 §3; first comes the relative name that a certificate has last (§2.1).
fn relative_names(text: &str) -> Option<Vec<Vec<String>>> {
    let mut rest = text.bytes().peekable();
    let (mut relative, mut attributes) = (Vec::new(), Vec::new());
    loop {
        let oid = attribute_type(&mut rest)?;
        attributes.push(attribute_value(oid, &mut rest)?);
        match rest.next() {
            Some(b'+') => {}
            Some(_) => relative.push(std::mem::take(&mut attributes)),
            None => break,
        }
    }
    relative.push(attributes);
    relative.reverse();
    Some(relative)
}

/// A short name (RFC 4514 §3 and those of RFC 4519 and RFC 5280) or an object identifier, and the `=` behind it.
fn attribute_type(rest: &mut Peekable<Bytes<'_>>) -> Option<ObjectIdentifier> {
    let mut name = String::new();
    loop {
        match rest.next()? {
            b'=' => break,
            byte => name.push(char::from(byte)),
        }
    }
    let name = name.trim_matches(' ');
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        ObjectIdentifier::new(name).ok()
    } else {
        DB.by_name(name).copied()
    }
}

/// Up to the `,` or `+` that ends it.
fn attribute_value(oid: ObjectIdentifier, rest: &mut Peekable<Bytes<'_>>) -> Option<String> {
    let mut value = Vec::new();
    while rest.next_if_eq(&b' ').is_some() {}
    if rest.next_if_eq(&b'#').is_some() {
        while let Some(digit) = rest.next_if(u8::is_ascii_hexdigit) {
            value.push(hex_pair(digit, rest)?);
        }
        while rest.next_if_eq(&b' ').is_some() {}
        let ended = rest.peek().is_none_or(|byte| matches!(byte, b',' | b'+'));
        return compared(oid, &Any::from_der(&value).ok().filter(|_| ended)?);
    }
    while let Some(byte) = rest.next_if(|byte| !matches!(byte, b',' | b'+')) {
        match byte {
            b'\\' => match rest.next()? {
                special @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\') => value.push(special),
                digit => value.push(hex_pair(digit, rest)?),
            },
            b'"' | b';' | b'<' | b'>' => return None,
            byte => value.push(byte),
        }
    }
    String::from_utf8(value).ok().map(|text| prepared(oid, &text))
}

fn hex_pair(first: u8, rest: &mut Peekable<Bytes<'_>>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(first)? * 16 + digit(rest.next()?)?;
    u8::try_from(value).ok()
}
