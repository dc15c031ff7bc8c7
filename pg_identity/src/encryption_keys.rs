//! Keys that others encrypt to, and what they encrypted: made, opened and used here; which are published is decided by
//! `sql/extension/encryption_keys.sql`. And the other way round: what we encrypt to the keys of clients.
//!
//! The private part is sealed under the master key with the kid as name, as that of a signing key is.

#[cfg(test)]
mod properties;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::errors::{Code, Error};
use crate::jwe::{self, Encryption, Envelope, Management, OurKey, Recipient};
use crate::keys::thumbprint;
use crate::master_key;
use crate::memo::Memo;
use crate::native::sql_function;
use crate::provider::rsa_public;
use crate::rows::{Row, View};

/// Of the master key.
const PURPOSE: &str = "encryption";

thread_local! {
    static KEYS: Memo<OurKey> = const { Memo::new() };
}

/// What a key of ours is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// RSA-OAEP-256.
    Rsa,
    /// ECDH-ES and ECDH-ES+A256KW, on P-256.
    Curve,
}

impl Kind {
    fn named(algorithm: &str) -> Option<Self> {
        match algorithm {
            "RSA-OAEP-256" => Some(Self::Rsa),
            "ECDH-ES" => Some(Self::Curve),
            _ => None,
        }
    }

    const fn serves(self, management: Management) -> bool {
        match management {
            Management::RsaOaep256 => matches!(self, Self::Rsa),
            Management::EcdhEs | Management::EcdhEsA256Kw => matches!(self, Self::Curve),
        }
    }

    fn parse(self, private: &[u8]) -> Option<OurKey> {
        match self {
            Self::Rsa => {
                let key = PrivateDecryptingKey::from_pkcs8(private).ok()?;
                OaepPrivateDecryptingKey::new(key).ok().map(OurKey::Rsa)
            }
            Self::Curve => PrivateKey::from_private_key(&ECDH_P256, private).ok().map(OurKey::Curve),
        }
    }
}

sql_function! {
    /// `encryption_key_make(algorithm)`: JSON `{kid, public_jwk, private_sealed}`, the last in base64.
    fn encryption_key_make(algorithm: &str) -> Result<String, Error> {
        let kind = Kind::named(algorithm)
            .ok_or_else(|| Error::new(Code::Unsupported, "algorithm must be RSA-OAEP-256 or ECDH-ES"))?;
        // Before the costly part.
        master_key::current()?;
        let (private, mut public) = generate(kind)?;
        let kid = thumbprint(&public);
        public.insert("kid".to_owned(), kid.as_str().into());
        public.insert("use".to_owned(), "enc".into());
        // A key on a curve is for two algorithms, and a JWK names one.
        if kind == Kind::Rsa {
            public.insert("alg".to_owned(), algorithm.into());
        }
        let sealed = master_key::seal(PURPOSE, kid.as_bytes(), &private)?;
        Ok(json!({ "kid": kid, "public_jwk": public, "private_sealed": STANDARD.encode(sealed) }).to_string())
    }
}

/// The private key as it is sealed, and the members of the public one.
type Pair = (Zeroizing<Vec<u8>>, Map<String, Value>);

fn generate(kind: Kind) -> Result<Pair, Error> {
    let encode = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
    let mut public = Map::new();
    let private = match kind {
        Kind::Rsa => {
            let pair = KeyPair::generate(KeySize::Rsa2048)?;
            let (n, e) = rsa_public(pair.public_key().as_ref()).unwrap_or_default();
            public.insert("kty".to_owned(), "RSA".into());
            public.insert("n".to_owned(), encode(n));
            public.insert("e".to_owned(), encode(e));
            let der: Pkcs8V1Der<'_> = pair.as_der()?;
            Zeroizing::new(der.as_ref().to_vec())
        }
        Kind::Curve => {
            let private = PrivateKey::generate(&ECDH_P256)?;
            let point = private.compute_public_key()?;
            let (x, y) = point.as_ref().get(1..).and_then(|point| point.split_at_checked(32)).unwrap_or_default();
            public.insert("kty".to_owned(), "EC".into());
            public.insert("crv".to_owned(), "P-256".into());
            public.insert("x".to_owned(), encode(x));
            public.insert("y".to_owned(), encode(y));
            let bytes: aws_lc_rs::encoding::EcPrivateKeyBin<'_> = private.as_be_bytes()?;
            Zeroizing::new(bytes.as_ref().to_vec())
        }
    };
    Ok((private, public))
}

sql_function! {
    /// `jwe_open(token)`: the text that was encrypted to a key of ours; NULL when it was not, or is none.
    fn jwe_open(token: &str) -> Result<Option<String>, Error> {
        let Some(jwe) = jwe::read(token) else { return Ok(None) };
        let view = View::latest();
        let mut keys = view.table(c"encryption_keys")?;
        let mut found = keys.find(jwe.kid().as_slice());
        while let Some(row) = found {
            if let Some(key) = opened(&row, jwe.management())?
                && let Some(plain) = jwe.open(&key)
            {
                return Ok(std::str::from_utf8(&plain).ok().filter(|text| !text.contains('\0')).map(str::to_owned));
            }
            found = keys.next();
        }
        Ok(None)
    }
}

/// The key of a row, if it is one for this algorithm and may still open something.
fn opened(row: &Row<'_>, management: Management) -> Result<Option<std::rc::Rc<OurKey>>, Error> {
    let kind = row.column::<&str>(c"algorithm")?.and_then(Kind::named).filter(|kind| kind.serves(management));
    let (Some(kind), Some(sealed)) = (kind, row.column::<&[u8]>(c"private_sealed")?) else { return Ok(None) };
    let kid: &str = row.column(c"kid")?.unwrap_or_default();
    let (_, key) = KEYS.with(|keys| {
        keys.get(&[PURPOSE.as_bytes(), kid.as_bytes(), sealed], || {
            let private = master_key::open(PURPOSE, kid.as_bytes(), sealed)?;
            kind.parse(&private).ok_or_else(|| Error::internal("an encryption key does not fit its algorithm"))
        })
    })?;
    Ok(Some(key))
}

sql_function! {
    /// `jwe_recipient(jwks, algorithm)`: the key of a set that is encrypted to with this algorithm, as a JWK; NULL when there is none.
    fn jwe_recipient(jwks: pgrx::JsonB, algorithm: &str) -> Result<Option<pgrx::JsonB>, Error> {
        let management = management(algorithm)?;
        let keys = jwks.0.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let fits = |key: &&Map<String, Value>| {
            key.get("use").is_none_or(|purpose| purpose == "enc")
                && key.get("alg").is_none_or(|name| name == algorithm)
                && key.get("key_ops").is_none_or(|ops| {
                    ops.as_array().is_some_and(|ops| {
                        ops.iter().any(|op| op == "encrypt" || op == "wrapKey" || op == "deriveKey" || op == "deriveBits")
                    })
                })
                && Recipient::read(key, management).is_some()
        };
        // RFC 7517 §4.2: a key that says what it is for comes before one that does not.
        let candidates = || keys.iter().filter_map(Value::as_object).filter(fits);
        let chosen = candidates().find(|key| key.contains_key("use")).or_else(|| candidates().next());
        Ok(chosen.map(|key| pgrx::JsonB(Value::Object(key.clone()))))
    }
}

sql_function! {
    /// `jwe_seal(text, jwk, algorithm, encryption, cty)`: the text, encrypted to this key; NULL when nothing can be. The key is
    /// somebody else's: what is wrong with it must not end a transaction that is about others too.
    fn jwe_seal(text: &str, jwk: pgrx::JsonB, algorithm: &str, encryption: &str, cty: Option<&str>) -> Result<Option<String>, Error> {
        let management = management(algorithm)?;
        let encryption = Encryption::named(encryption)
            .ok_or_else(|| Error::new(Code::Unsupported, "encryption must be A256GCM or A128CBC-HS256"))?;
        let key = jwk.0.as_object();
        let Some(recipient) = key.and_then(|key| Recipient::read(key, management)) else { return Ok(None) };
        let kid = key.and_then(|key| key.get("kid")).and_then(Value::as_str);
        jwe::seal(&Envelope { management, encryption, kid, cty }, &recipient, text.as_bytes())
    }
}

/// A signed token, encrypted (RFC 7519 §5.2): `recipient` is `{"jwk", "alg", "enc"}`.
pub fn seal_token(recipient: &Value, token: &str) -> Result<String, Error> {
    let text = |name: &str| recipient.get(name).and_then(Value::as_str).unwrap_or_default();
    let jwk = pgrx::JsonB(recipient.get("jwk").cloned().unwrap_or_default());
    jwe_seal(token, jwk, text("alg"), text("enc"), Some("JWT"))?
        .ok_or_else(|| Error::new(Code::InvalidParameter, "recipient.jwk is no sound key for recipient.alg"))
}

fn management(algorithm: &str) -> Result<Management, Error> {
    Management::named(algorithm)
        .ok_or_else(|| Error::new(Code::Unsupported, "algorithm must be RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW"))
}

sql_function! {
    /// `jwe_header(token)`: `{"alg", "enc"}` of what `jwe_open` could open; NULL otherwise.
    fn jwe_header(token: &str) -> Result<Option<pgrx::JsonB>, Error> {
        Ok(jwe::read(token).map(|jwe| {
            pgrx::JsonB(json!({ "alg": jwe.management().name(), "enc": jwe.encryption().name() }))
        }))
    }
}
