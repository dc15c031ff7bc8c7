### Was die Seiten sagen, auf Deutsch. Welche Meldung was ist, steht in en.ftl.

## Anmeldung

sign-in-title = Anmelden
sign-in-button = Anmelden
sign-in-to = um mit { $client } fortzufahren
sign-in-home = um Ihre Sitzungen und verbundenen Anwendungen zu sehen
sign-in-username = Benutzername oder E-Mail-Adresse
sign-in-password = Passwort
sign-in-warning = Prüfen Sie, bevor Sie Ihr Passwort eingeben, ob die Adresse dieser Seite mit { $site } beginnt.
sign-in-wrong = Der Benutzername oder das Passwort stimmt nicht.
too-many-attempts = { $seconds ->
    [one] Zu viele Versuche. Warten Sie { $seconds } Sekunde und versuchen Sie es dann noch einmal.
   *[other] Zu viele Versuche. Warten Sie { $seconds } Sekunden und versuchen Sie es dann noch einmal.
}
confirm-title = Bestätigen Sie, dass Sie es sind
confirm-password = Geben Sie Ihr Passwort noch einmal ein.
confirm-password-to = Geben Sie Ihr Passwort noch einmal ein, um mit { $client } fortzufahren.
not-you = Sind Sie das nicht?
title-error = Fehler: { $title }

## Seite, die die Anmeldeseite öffnet

moment-title = Einen Moment
moment-automatic = Die Anmeldeseite öffnet sich von selbst.
moment-manual = Bitte öffnen Sie die Anmeldeseite.
continue = Weiter

## Was eine Anwendung über sich sagt

client-about = Über { $client }
client-policy = Datenschutzerklärung
client-tos = Nutzungsbedingungen

## Auswahl eines Kontos

select-account-title = Konto auswählen
select-account-signed-out = abgemeldet
select-account-other = Anderes Konto verwenden

## Zustimmung

consent-title = { $client } den Zugriff erlauben?
consent-user = Sie sind angemeldet als { $user }.
consent-scopes = Die Anwendung darf dann
consent-resources = Zur Verwendung mit { $resources }.
consent-returns = Danach kehren Sie zu { $host } zurück.
consent-withdraw = Auf Ihrer Kontoseite können Sie dies jederzeit widerrufen.
consent-allow = Erlauben
consent-deny = Ablehnen

## Was eine Anwendung darf

scope-openid = Wissen, dass Sie es sind
scope-profile = Ihren Namen und Ihr Profil sehen
scope-email = Ihre E-Mail-Adresse sehen
scope-address = Ihre Postanschrift sehen
scope-phone = Ihre Telefonnummer sehen
scope-offline_access = Den Zugriff behalten, während Sie abwesend sind
scope-roles = Mit den Rollen handeln, die Sie hier haben

## Rückweg zur Anwendung

form-post-title = Zurück zur Anwendung
form-post-hint = Wenn nichts geschieht, drücken Sie den Knopf.

## Abmeldung

logout-title = Abmelden?
logout-client = { $client } möchte Sie bei { $site } abmelden.
logout-session = Das beendet Ihre Sitzung bei { $site } in diesem Browser.
logout-yes = Abmelden
logout-no = Angemeldet bleiben
logging-out-title = Abmeldung
logging-out-told = Die Anwendungen, die Sie verwendet haben, werden benachrichtigt. Wenn nichts geschieht, gehen Sie selbst weiter.
session-over-title = Eine Sitzung ist beendet
session-over-told = Die Sitzung, die in diesem Browser bestand, ist beendet, und die Anwendungen, die sie verwendet haben, werden benachrichtigt. Wenn nichts geschieht, gehen Sie selbst weiter.
logged-out-title = Abgemeldet
logged-out-heading = Sie sind abgemeldet
logged-out-session = Ihre Sitzung bei { $site } ist in diesem Browser beendet.
logged-out-elsewhere = Eine Anwendung, die Sie verwendet haben, kann noch eine eigene Sitzung haben: Melden Sie sich an einem gemeinsam genutzten Computer auch dort ab.
logged-out-again = Wieder anmelden

## Kontoseite

account-title = Ihr Konto
account-sign-out = Abmelden
sessions-title = Wo Sie angemeldet sind
session-current = Dieser Browser
session-started = angemeldet { $when }
session-used = zuletzt verwendet { $when }
session-end = Sitzung beenden
session-end-of = Sitzung beenden: { $device }
sessions-end-others = Alle anderen Sitzungen beenden
device-browser = { $browser } auf { $system }
device-unknown = Unbekanntes Gerät
applications-title = Ihre Anwendungen
applications-none = Keine Anwendung darf Ihr Konto verwenden. Wenn Sie es einer erlauben, steht sie hier.
application-allowed = Erlaubt { $when }
application-open = Öffnen
application-open-of = { $client } öffnen
application-withdraw = Zugriff entziehen
application-withdraw-of = { $client } den Zugriff entziehen
notice-session-ended = Diese Sitzung ist beendet.
notice-sessions-ended = Alle anderen Sitzungen sind beendet.
notice-withdrawn = Die Anwendung hat keinen Zugriff mehr auf Ihr Konto.
notice-password-changed = Ihr Passwort ist geändert. Überall sonst sind Sie abgemeldet.

## Zeitpunkte

moment-now = gerade eben
moment-minutes = { $count ->
    [one] vor { $count } Minute
   *[other] vor { $count } Minuten
}
moment-hours = { $count ->
    [one] vor { $count } Stunde
   *[other] vor { $count } Stunden
}
moment-days = { $count ->
    [one] vor { $count } Tag
   *[other] vor { $count } Tagen
}
moment-date = { $month ->
    [1] am { $day }. Januar { $year }
    [2] am { $day }. Februar { $year }
    [3] am { $day }. März { $year }
    [4] am { $day }. April { $year }
    [5] am { $day }. Mai { $year }
    [6] am { $day }. Juni { $year }
    [7] am { $day }. Juli { $year }
    [8] am { $day }. August { $year }
    [9] am { $day }. September { $year }
    [10] am { $day }. Oktober { $year }
    [11] am { $day }. November { $year }
   *[12] am { $day }. Dezember { $year }
}

## Passwort ändern

password-title = Passwort ändern
password-effect = Das meldet Sie überall sonst ab und trennt Anwendungen, die ohne Sie arbeiten.
password-old = Bisheriges Passwort
password-new = Neues Passwort
password-new-again = Neues Passwort, noch einmal
password-change = Passwort ändern
password-back = Zurück zu Ihrem Konto
password-wrong = Das bisherige Passwort stimmt nicht.
password-unequal = Die beiden neuen Passwörter sind nicht gleich.
why-password-long = Ein Passwort hat höchstens 1024 Bytes.
why-password-short = Ein Passwort hat mindestens 8 Zeichen.
why-password-controls = Ein Passwort hat keine Steuerzeichen.

## Fehler: was geschehen ist, und was zu tun ist

error-code = Fehlercode: { $code }
error-home = Zu Ihrem Konto
error-request = Das hat nicht geklappt
error-request-advice = Die Anwendung hat Sie mit einer Anfrage hierher geschickt, die nicht beantwortet werden kann. Kehren Sie zur Anwendung zurück und beginnen Sie von vorn. Wenn das nicht hilft, teilen Sie ihrem Betreiber mit, was unten steht.
error-client = Diese Anwendung ist hier nicht bekannt
error-client-advice = Geben Sie nirgends Ihr Passwort für sie ein. Wenn Sie der Anwendung vertrauen, teilen Sie ihrem Betreiber mit, was unten steht.
error-expired = Das hat zu lange gedauert
error-expired-advice = Die Anmeldung ist abgelaufen, oder sie hat in einem anderen Browser begonnen. Kehren Sie zur Anwendung zurück und beginnen Sie von vorn.
error-denied = Der Zugriff wurde verweigert
error-denied-advice = Die Anwendung hat nichts erfahren. Kehren Sie zu ihr zurück, wenn Sie von vorn beginnen möchten.
error-forged = Dieses Formular ist veraltet
error-forged-advice = Es ist nichts geschehen. Vielleicht haben Sie sich in einem anderen Fenster an- oder abgemeldet, oder Ihr Browser behält keine Cookies. Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.
error-missing = Diese Seite gibt es nicht
error-missing-advice = Die Adresse ist falsch, oder die Seite ist nicht mehr da.
error-busy = Einen Moment bitte
error-busy-advice = Es sind zu viele Menschen gleichzeitig hier, oder der Dienst wird gerade neu gestartet. Warten Sie einige Sekunden und laden Sie dann die Seite neu.
error-slow-down = Zu viele Versuche
error-slow-down-advice = Es ist nichts geschehen. Warten Sie ein wenig, gehen Sie dann zurück und versuchen Sie es noch einmal.
error-fault = Hier ist etwas schiefgegangen
error-fault-advice = Sie haben nichts falsch gemacht, und der Fehler ist vermerkt. Versuchen Sie es gleich noch einmal.

## Fehler, für den Betreiber der Anwendung

why-repeated = { $name } ist mehr als einmal angegeben
why-repeated-parameter = der Parameter "{ $name }" ist mehr als einmal angegeben
why-client-unknown = unbekannte Anwendung
why-missing = { $name } fehlt
why-redirect_uri-unregistered = redirect_uri ist für diese Anwendung nicht registriert
why-too-large = die Anfrage ist zu groß
why-client-keys = die Schlüssel der Anwendung lassen sich nicht abrufen
why-hint = id_token_hint ist kein ID-Token dieses Ausstellers
why-hint-client = client_id ist nicht die von id_token_hint
why-logout-client = post_logout_redirect_uri braucht client_id oder id_token_hint
why-logout-unregistered = post_logout_redirect_uri ist für diese Anwendung nicht registriert
why-not-a-form = der Inhalt muss application/x-www-form-urlencoded sein
why-incomplete = der Inhalt endete zu früh oder ist zu groß
why-encoding = ein Parameter ist nicht richtig prozentkodiert
why-not-utf8 = ein Parameter ist kein gültiges UTF-8
why-nul = ein Parameter enthält U+0000
why-method = diese Adresse nimmt keine Anfragen mit dieser Methode an
why-too-many = zu viele Anfragen, bitte warten Sie
why-late = die Anfrage ist nicht rechtzeitig angekommen
why-slow = die Anfrage hat zu lange gedauert
why-https = https ist erforderlich
why-fault = hier ist etwas schiefgegangen; es steht im Protokoll
why-token = das Token ist nicht gültig
why-request-malformed = { $name } hat nicht die richtige Form
why-request-unsupported = { $name } wird nicht unterstützt
why-request-response_type = die Anwendung ist nicht für response_type { $name } registriert
why-request-response_mode = response_mode muss eines von { $name } sein
why-request-query = response_mode query ist nicht für Antworttypen mit token oder id_token
why-request-nonce = nonce fehlt: für ein ID-Token ist es nötig
why-request-pkce = code_challenge fehlt: PKCE ist nötig
why-request-pkce-method = code_challenge_method muss S256 sein
why-request-pkce-alone = code_challenge_method ist ohne code_challenge angegeben
why-request-resource = resource ist unbekannt oder hat nicht die richtige Form
why-request-prompt = prompt muss aus none, login, consent und select_account bestehen
why-request-prompt-none = prompt none kann nicht neben einem anderen Wert stehen
why-request-claims = claims muss ein JSON-Objekt mit userinfo und id_token sein
why-request-claims-userinfo = claims enthält userinfo, und response_type id_token gibt kein Zugriffstoken
why-request-max_age = max_age muss eine Zahl von Sekunden sein
why-request-recipient = die Anwendung hat keinen Schlüssel, für den ihre ID-Token verschlüsselt werden können
why-request-scope = scope nennt nichts, worum diese Anwendung bitten darf
why-request-scope-missing = scope fehlt, und weder die Anwendung noch die Ressource hat einen Vorgabewert
why-request-scope-openid = scope muss openid enthalten, wenn response_type id_token enthält
why-request-object = das Anfrageobjekt ist ungültig
why-request-object-response_type = response_type ist nicht das des Anfrageobjekts
why-request-object-both = request kann nicht neben request_uri stehen
why-request-somebody-else = eine andere Person hat sich angemeldet
why-request-acr = die Anmeldung erreicht nicht das verlangte acr
why-request-acr-out-of-reach = keine Anmeldung hier erreicht ein verlangtes acr
