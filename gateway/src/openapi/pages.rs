//! The endpoints that a person's browser comes to. Their forms carry `csrf`, `resume` holds a sealed request: neither is of use
//! to a program that did not get them from the page before.

use serde_json::Value;

use super::operation::{Answer, Field, Operation, field, operation, path};
use crate::web::outcome;

/// By address.
pub fn paths() -> Vec<(String, Value)> {
    let resume = || field("resume", "The request that goes on, sealed.");
    let picture = [field("digest", "Of the content.").required(), field("name", "Of the file.").required()];
    vec![
        path(
            "/authorize",
            [
                (
                    "get",
                    shown("authorize", "A client sends a person (RFC 6749 §3.1, OpenID Connect Core §3.1.2)")
                        .query(&authorization()),
                ),
                (
                    "post",
                    page("authorize_by_post", "The same, and comes back by GET", &[("303", Answer::Redirect), REFUSED])
                        .form(&authorization()),
                ),
            ],
        ),
        path(
            "/login",
            [
                (
                    "get",
                    shown("login", "The sign-in page").query(&[
                        resume(),
                        field("again", "Set by the page before, once a cookie may be."),
                        field("other-account", "Somebody else than who is signed in."),
                    ]),
                ),
                (
                    "post",
                    sent("sign_in", "Signs a person in", &[DONE, WRONG]).form(&form(vec![
                        resume(),
                        field("username", "User name or e-mail address."),
                        field("password", "The password."),
                    ])),
                ),
            ],
        ),
        path(
            "/select-account",
            [
                ("get", shown("select_account", "The account chooser").query(&[resume()])),
                (
                    "post",
                    sent("account_selected", "An account was chosen", &[DONE]).form(&form(vec![
                        resume(),
                        field("account-1", "Who is signed in."),
                        field("other-account", "Somebody else."),
                    ])),
                ),
            ],
        ),
        path(
            "/consent",
            [
                ("get", shown("consent", "What an application asks for").query(&[resume()])),
                (
                    "post",
                    sent("consent_decided", "Allowed or denied", &[DONE]).form(&form(vec![
                        resume(),
                        field("allow", "The button."),
                        field("deny", "The other one."),
                    ])),
                ),
            ],
        ),
        path(
            "/logout",
            [
                ("get", shown("logout", "RP-Initiated Logout 1.0").query(&ending())),
                (
                    "post",
                    page("logout_by_post", "The same, and comes back by GET", &[("303", Answer::Redirect), REFUSED])
                        .form(&ending()),
                ),
            ],
        ),
        path(
            "/logout/confirm",
            [(
                "post",
                sent("logout_confirmed", "Signs out, or not", &[DONE]).form(&form(vec![
                    resume(),
                    field("logout-yes", "The button."),
                    field("logout-no", "The other one."),
                ])),
            )],
        ),
        path(
            "/session-state",
            [("get", page("session_state", "For frames: whether a session_state is that of today", &[DONE]))],
        ),
        path(
            "/session-state/check",
            [(
                "get",
                page(
                    "session_state_check",
                    "What that frame asks: changes its cookie when the session is over",
                    &[("204", Answer::Empty)],
                ),
            )],
        ),
        path(
            "/logout/elsewhere",
            [(
                "get",
                shown("frontchannel_logout", "Where a session was ended elsewhere: its clients are told, in frames")
                    .query(&[resume(), field("ui_locales", "Languages that the client asked for, the best first.")]),
            )],
        ),
        path(
            "/logout/done",
            [(
                "get",
                page("logged_out", "Signed out", &[DONE, REFUSED])
                    .query(&[field("ui_locales", "Languages that the client asked for, the best first.")]),
            )],
        ),
        path(
            "/",
            [(
                "get",
                shown("home", "A person's sessions, applications and password")
                    .query(&[field("done", "What was just done.")]),
            )],
        ),
        path(
            "/sessions/end",
            [("post", sent("session_end", "Ends a session", &[]).form(&form(vec![field("session_id", "Which.")])))],
        ),
        path(
            "/sessions/end-others",
            [("post", sent("sessions_end_others", "Ends all others", &[]).form(&form(vec![])))],
        ),
        path(
            "/applications/withdraw",
            [(
                "post",
                sent("application_withdraw", "Takes back what an application was allowed", &[])
                    .form(&form(vec![field("client_id", "Which.")])),
            )],
        ),
        path(
            "/password",
            [
                ("get", page("password", "The form on the home page", &[("303", Answer::Redirect)])),
                (
                    "post",
                    sent("password_change", "Changes the password", &[WRONG]).form(&form(vec![
                        field("username", "For password managers."),
                        field("old_password", "The one of now."),
                        field("new_password", "The next one."),
                        field("new_password_again", "The same."),
                    ])),
                ),
            ],
        ),
        path(
            "/assets/{digest}/{name}",
            [(
                "get",
                page(
                    "asset",
                    "What pages load",
                    &[("200", Answer::File), ("304", Answer::Empty), ("404", Answer::Empty)],
                )
                .path(&picture),
            )],
        ),
    ]
}

const DONE: (&str, Answer) = ("200", Answer::Page);
const REFUSED: (&str, Answer) = ("400", Answer::Page);
const WRONG: (&str, Answer) = ("422", Answer::Page);

fn page(id: &str, summary: &str, answers: &[(&str, Answer)]) -> Operation {
    operation("pages", id, summary, answers)
}

/// A page, or where to go instead.
fn shown(id: &str, summary: &str) -> Operation {
    page(id, summary, &[DONE, ("303", Answer::Redirect), REFUSED])
}

/// The answer to a form of ours. 403: it is not from a page of this browser.
fn sent(id: &str, summary: &str, more: &[(&str, Answer)]) -> Operation {
    page(id, summary, &[&[("303", Answer::Redirect), REFUSED, ("403", Answer::Page)], more].concat())
}

fn form(fields: Vec<Field>) -> Vec<Field> {
    [field("csrf", "From the page.").required()].into_iter().chain(fields).collect()
}

fn authorization() -> Vec<Field> {
    vec![
        field("client_id", "Who asks.").required(),
        field("redirect_uri", "Where the answer goes: one that is registered."),
        field("response_type", "What is asked for, as registered: one of response_types_supported."),
        field("response_mode", "How the answer travels.").one_of(&outcome::RESPONSE_MODES),
        field("scope", "RFC 6749 §3.3."),
        field("state", "Comes back with the answer."),
        field("nonce", "Comes back in the ID token."),
        field("code_challenge", "RFC 7636 §4.3."),
        field("code_challenge_method", "RFC 7636 §4.3.").one_of(&["S256"]),
        field("resource", "RFC 8707 §2.1: where the tokens are for.").repeated(),
        field("prompt", "none, or some of login, consent, select_account."),
        field("max_age", "Seconds since the person signed in, at most."),
        field("id_token_hint", "Who it has to be."),
        field("login_hint", "Who it may be."),
        field("ui_locales", "Languages of the pages."),
        field("claims_locales", "Languages of the claims."),
        field("acr_values", "How sure it should be."),
        field("display", "page, popup, touch or wap."),
        field("claims", "OpenID Connect Core §5.5: a JSON object."),
        field("request", "RFC 9101: all of it, as a JWT of the client."),
        field("request_uri", "RFC 9101: where it is."),
        field("registration", "Of self-issued providers; refused."),
        field("resume", "A request that goes on, sealed, in place of all others."),
    ]
}

fn ending() -> Vec<Field> {
    vec![
        field("id_token_hint", "Whose session it is."),
        field("client_id", "Who asks."),
        field("post_logout_redirect_uri", "Where to go afterwards: one that is registered."),
        field("state", "Goes along."),
        field("logout_hint", "Whose session it may be."),
        field("ui_locales", "Languages of the pages."),
    ]
}
