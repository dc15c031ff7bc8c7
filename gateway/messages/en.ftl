### What the pages say, in English. Every other file of this folder has the same messages with the same placeholders.
###
### Fluent (https://projectfluent.org): a message is `name = text`; `{ $client }` is filled in where it stands; a choice
### `{ $minutes -> [one] … *[other] … }` follows the plural rules of the language. Whole sentences, never pieces of them.
### Plain text: a `<` is shown as it is. A test compares the files, looks for messages that no page uses, and walks the pages.

## Sign-in

sign-in-title = Sign in
sign-in-button = Sign in
# $client: the application that sends people here.
sign-in-to = to continue to { $client }
sign-in-home = to see your sessions and connected applications
sign-in-username = Username or email
sign-in-password = Password
# $site: host of this site, as in the address line.
sign-in-warning = Before you type your password, check that the address of this page begins with { $site }.
sign-in-wrong = The username or the password is not right.
too-many-attempts = { $seconds ->
    [one] Too many attempts. Wait { $seconds } second, then try again.
   *[other] Too many attempts. Wait { $seconds } seconds, then try again.
}
# Somebody is signed in and must prove it again.
confirm-title = Confirm it is you
confirm-password = Enter your password again.
confirm-password-to = Enter your password again to continue to { $client }.
# A link for somebody else than who is named before it.
not-you = Not you?
# The title of a window whose form was refused. $title: what it is without that.
title-error = Error: { $title }

## A page that opens the sign-in page

moment-title = One moment
moment-automatic = The sign-in page opens by itself.
moment-manual = Please open the sign-in page.
continue = Continue

## What an application says of itself

client-about = About { $client }
client-policy = Privacy policy
client-tos = Terms of service

## Choosing an account

select-account-title = Choose an account
select-account-signed-out = signed out
select-account-other = Use another account

## Consent

consent-title = Allow { $client }?
consent-user = You are signed in as { $user }.
# A list of what the application may do follows: the scopes below.
consent-scopes = It will be able to
# $resources: names, separated by commas.
consent-resources = For use with { $resources }.
# $host: where the browser goes.
consent-returns = Then you return to { $host }.
consent-withdraw = You can withdraw this at any time on your account page.
consent-allow = Allow
consent-deny = Deny

## What an application may do. Shown where an administrator has not written something else.

scope-openid = Know that it is you
scope-profile = See your name and profile
scope-email = See your e-mail address
scope-address = See your postal address
scope-phone = See your phone number
scope-offline_access = Keep access while you are away
scope-roles = Act with the roles you have here

## The way back to an application

form-post-title = Back to the application
form-post-hint = If nothing happens, press the button.

## Signing out

logout-title = Sign out?
logout-client = { $client } asks to sign you out of { $site }.
logout-session = This ends your session at { $site } in this browser.
logout-yes = Sign out
logout-no = Stay signed in
logging-out-title = Signing out
logging-out-told = The applications you used are told. If nothing happens, go on by yourself.
# The person did not ask for it: it was ended elsewhere, or somebody else has signed in.
session-over-title = A session has ended
session-over-told = The session that was open in this browser is over, and the applications that used it are told. If nothing happens, go on by yourself.
logged-out-title = Signed out
logged-out-heading = You are signed out
logged-out-session = Your session at { $site } has ended in this browser.
logged-out-elsewhere = An application you used may still keep a session of its own: sign out there too on a shared computer.
logged-out-again = Sign in again

## The account page

account-title = Your account
account-sign-out = Sign out
sessions-title = Where you are signed in
session-current = This browser
# $when: one of the moments below.
session-started = signed in { $when }
session-used = last used { $when }
session-end = End session
session-end-of = End session: { $device }
sessions-end-others = End all other sessions
device-browser = { $browser } on { $system }
device-unknown = Unknown device
applications-title = Your applications
applications-none = No application may use your account. When you allow one, it is listed here.
application-allowed = Allowed { $when }
application-open = Open
application-open-of = Open { $client }
application-withdraw = Withdraw access
application-withdraw-of = Withdraw access of { $client }
notice-session-ended = That session has been ended.
notice-sessions-ended = All other sessions have been ended.
notice-withdrawn = The application has lost its access to your account.
notice-password-changed = Your password has been changed. You are signed out everywhere else.

## Moments

moment-now = just now
moment-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
moment-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
moment-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}
moment-date = { $month ->
    [1] on January { $day }, { $year }
    [2] on February { $day }, { $year }
    [3] on March { $day }, { $year }
    [4] on April { $day }, { $year }
    [5] on May { $day }, { $year }
    [6] on June { $day }, { $year }
    [7] on July { $day }, { $year }
    [8] on August { $day }, { $year }
    [9] on September { $day }, { $year }
    [10] on October { $day }, { $year }
    [11] on November { $day }, { $year }
   *[12] on December { $day }, { $year }
}

## Changing the password

password-title = Change password
password-effect = This signs you out everywhere else and disconnects applications that work without you.
password-old = Current password
password-new = New password
password-new-again = New password, once more
password-change = Change password
password-back = Back to your account
password-wrong = The current password is not right.
password-unequal = The two new passwords are not the same.
why-password-long = A password has at most 1024 bytes.
why-password-short = A password has at least 8 characters.
why-password-controls = A password has no control characters.

## Errors: what happened, and what to do

# $code: a word of the protocol, for whoever is asked for help.
error-code = Error code: { $code }
error-home = Go to your account
error-request = This did not work
error-request-advice = The application sent you here with a request that cannot be answered. Go back to the application and start again. If that does not help, tell its operator what it says below.
error-client = This application is not known here
error-client-advice = Do not enter your password for it anywhere. If you trust the application, tell its operator what it says below.
error-expired = This took too long
error-expired-advice = The sign-in has expired, or it began in another browser. Go back to the application and start again.
error-denied = Access was denied
error-denied-advice = Nothing was shared with the application. Go back to it if you want to start again.
error-forged = This form is out of date
error-forged-advice = Nothing was done. You may have signed in or out in another window, or your browser does not keep cookies. Go back, reload the page and try again.
error-missing = There is no such page
error-missing-advice = The address is wrong, or the page is gone.
error-busy = One moment, please
error-busy-advice = Too many people are here at once, or the service is being restarted. Wait a few seconds, then reload the page.
error-slow-down = Too many attempts
error-slow-down-advice = Nothing was done. Wait a little, then go back and try again.
error-fault = Something went wrong here
error-fault-advice = It is not your fault, and it has been noted. Try again in a moment.

## Errors, for the operator of the application: what the database or the gateway says. The English text here is the one in
## the code, by which the message is found; words such as redirect_uri are names and stay.

why-repeated = { $name } is given more than once
why-repeated-parameter = the parameter "{ $name }" is given more than once
why-client-unknown = unknown client
why-missing = { $name } is missing
why-redirect_uri-unregistered = redirect_uri is not registered for this client
why-too-large = the request is too large
why-client-keys = the keys of the client cannot be fetched
why-hint = id_token_hint is not an ID token of this issuer
why-hint-client = client_id is not that of id_token_hint
why-logout-client = post_logout_redirect_uri needs client_id or id_token_hint
why-logout-unregistered = post_logout_redirect_uri is not registered for this client
why-not-a-form = the body must be application/x-www-form-urlencoded
why-incomplete = the body ended early or is too large
why-encoding = a parameter is not percent-encoded correctly
why-not-utf8 = a parameter is not valid UTF-8
why-nul = a parameter contains U+0000
why-method = this address does not take requests of this method
why-too-many = too many requests, please wait
why-late = the request did not arrive in time
why-slow = the request took too long
why-https = https is required
why-fault = something went wrong here; it has been written to the log
why-token = the token is not valid
why-request-malformed = { $name } is malformed
why-request-unsupported = { $name } is not supported
why-request-response_type = the client is not registered for response_type { $name }
why-request-response_mode = response_mode must be { $name }
why-request-query = response_mode query is not for response types with token or id_token
why-request-nonce = nonce is missing: it is required for an ID token
why-request-pkce = code_challenge is missing: PKCE is required
why-request-pkce-method = code_challenge_method must be S256
why-request-pkce-alone = code_challenge_method is given without code_challenge
why-request-resource = resource is unknown or malformed
why-request-prompt = prompt must be made of none, login, consent, select_account
why-request-prompt-none = prompt none cannot stand with another value
why-request-claims = claims must be a JSON object of the members userinfo and id_token
why-request-claims-userinfo = claims has a member userinfo, and response_type id_token gives no access token
why-request-max_age = max_age must be a number of seconds
why-request-recipient = the client has no key that its ID tokens can be encrypted to
why-request-scope = scope names nothing that this client may ask for
why-request-scope-missing = scope is missing, and neither the client nor the resource has a default
why-request-scope-openid = scope must hold openid where response_type holds id_token
why-request-object = the request object is invalid
why-request-object-response_type = response_type is not that of the request object
why-request-object-both = request cannot stand beside request_uri
why-request-somebody-else = another person signed in
why-request-acr = the sign-in does not reach the acr that was asked for
why-request-acr-out-of-reach = no sign-in here reaches an acr that was asked for
