//! Random identities.

use serde_json::{Value, json};

pub const PEOPLE: [&str; 3] = [
    "01935d3c-0000-7000-8000-00000000000a",
    "01935d3c-0000-7000-8000-00000000000b",
    "01935d3c-0000-7000-8000-00000000000c",
];
pub const ORGANIZATIONS: [&str; 3] =
    ["0193aaaa-0000-7000-8000-000000000001", "0193aaaa-0000-7000-8000-000000000002", "acme"];

/// Xorshift: enough for choices in a test, and the same again from its seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(2) == 0).then_some(value)
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Who asks; nobody without a subject.
#[derive(Clone, Debug)]
pub struct Who {
    pub subject: Option<String>,
    pub organization: Option<&'static str>,
    pub scopes: Vec<&'static str>,
    pub admin: bool,
    pub agent: bool,
}

impl Who {
    pub fn nobody() -> Who {
        Who { subject: None, organization: None, scopes: vec![], admin: false, agent: false }
    }

    pub fn triple(dice: &mut Dice) -> [Who; 3] {
        // Sometimes a service that acts for itself.
        let subject = dice.one(&[PEOPLE[0], PEOPLE[1], PEOPLE[2], PEOPLE[0], PEOPLE[1], "app"]).to_owned();
        let person = Who {
            subject: Some(subject),
            organization: (dice.below(5) > 0).then(|| dice.one(&ORGANIZATIONS)),
            scopes: ["t:read", "t:write"].into_iter().filter(|_| dice.below(4) > 0).collect(),
            admin: dice.below(3) == 0,
            agent: false,
        };
        let mut smaller = person.clone();
        smaller.scopes.retain(|_| dice.below(4) > 0);
        smaller.admin &= dice.below(2) == 0;
        let agent = Who { agent: true, ..smaller.clone() };
        [person, smaller, agent]
    }

    pub fn claims(&self, issuer: &str) -> Option<Value> {
        let mut claims = json!({ "sub": self.subject.as_ref()?, "aud": issuer, "client_id": "app", "jti": "t" });
        claims["scope"] = self.scopes.join(" ").into();
        if let Some(organization) = self.organization {
            claims["org_id"] = organization.into();
        }
        if self.admin {
            claims["roles"] = json!(["reader", "it's \\admin"]);
        }
        if self.agent {
            claims["act"] = json!({ "sub": "robot" });
        }
        Some(claims)
    }
}
