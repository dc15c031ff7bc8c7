//! Refresh tokens: family, generation and authenticator come back as they were written, and HMAC is HMAC.

use proptest::prelude::*;

use super::{PREFIX, authenticator, parse};
use crate::mutation::{edited, edits};
use crate::opaque;
use crate::sealing::vectors::hmac_sha256;

proptest! {
    #[test]
    fn a_refresh_token_reads_back_and_no_other_spelling_does(
        family in any::<[u8; 16]>(), generation in any::<u32>(), seed in any::<[u8; 32]>(), change in edits(),
    ) {
        let tag = authenticator(&seed, &family, generation);
        let signed = [&family[..], &generation.to_be_bytes()].concat();
        prop_assert_eq!(tag.as_ref(), hmac_sha256(&seed, &signed));
        let token = opaque::write(PREFIX, &[&signed[..], tag.as_ref()].concat());
        let parsed = parse(&token).unwrap();
        prop_assert_eq!((parsed.family, parsed.generation, &parsed.authenticator[..]), (family, generation, tag.as_ref()));
        let changed = edited(&token, &change);
        prop_assert_eq!(parse(&changed).is_some(), changed == token);
    }
}
