### Ce que disent les pages, en français. Le rôle de chaque message est expliqué dans en.ftl.

## Connexion

sign-in-title = Connexion
sign-in-button = Se connecter
sign-in-to = pour continuer vers { $client }
sign-in-home = pour voir vos sessions et vos applications connectées
sign-in-username = Nom d’utilisateur ou adresse e-mail
sign-in-password = Mot de passe
sign-in-warning = Avant de saisir votre mot de passe, vérifiez que l’adresse de cette page commence par { $site }.
sign-in-wrong = Le nom d’utilisateur ou le mot de passe est incorrect.
too-many-attempts = { $seconds ->
    [one] Trop de tentatives. Attendez { $seconds } seconde, puis réessayez.
   *[other] Trop de tentatives. Attendez { $seconds } secondes, puis réessayez.
}
confirm-title = Confirmez que c’est bien vous
confirm-password = Saisissez à nouveau votre mot de passe.
confirm-password-to = Saisissez à nouveau votre mot de passe pour continuer vers { $client }.
not-you = Ce n’est pas vous ?
title-error = Erreur : { $title }

## Page qui ouvre la page de connexion

moment-title = Un instant
moment-automatic = La page de connexion s’ouvre d’elle-même.
moment-manual = Veuillez ouvrir la page de connexion.
continue = Continuer

## Ce qu’une application dit d’elle-même

client-about = À propos de { $client }
client-policy = Politique de confidentialité
client-tos = Conditions d’utilisation

## Choix d’un compte

select-account-title = Choisissez un compte
select-account-signed-out = déconnecté
select-account-other = Utiliser un autre compte

## Consentement

consent-title = Autoriser { $client } ?
consent-user = Vous êtes connecté en tant que { $user }.
consent-scopes = L’application pourra
consent-resources = À utiliser avec { $resources }.
consent-returns = Vous retournerez ensuite à { $host }.
consent-withdraw = Vous pouvez retirer cette autorisation à tout moment sur la page de votre compte.
consent-allow = Autoriser
consent-deny = Refuser

## Ce qu’une application peut faire

scope-openid = Savoir que c’est bien vous
scope-profile = Voir votre nom et votre profil
scope-email = Voir votre adresse e-mail
scope-address = Voir votre adresse postale
scope-phone = Voir votre numéro de téléphone
scope-offline_access = Conserver l’accès pendant votre absence
scope-roles = Agir avec les rôles que vous avez ici

## Retour à l’application

form-post-title = Retour à l’application
form-post-hint = Si rien ne se passe, appuyez sur le bouton.

## Déconnexion

logout-title = Se déconnecter ?
logout-client = { $client } demande votre déconnexion de { $site }.
logout-session = Cela met fin à votre session sur { $site } dans ce navigateur.
logout-yes = Se déconnecter
logout-no = Rester connecté
logging-out-title = Déconnexion
logging-out-told = Les applications que vous avez utilisées sont prévenues. Si rien ne se passe, continuez vous-même.
session-over-title = Une session est terminée
session-over-told = La session ouverte dans ce navigateur est terminée, et les applications qui l’utilisaient sont prévenues. Si rien ne se passe, continuez vous-même.
logged-out-title = Déconnecté
logged-out-heading = Vous êtes déconnecté
logged-out-session = Votre session sur { $site } est terminée dans ce navigateur.
logged-out-elsewhere = Une application que vous avez utilisée peut encore garder sa propre session : sur un ordinateur partagé, déconnectez-vous aussi de celle-ci.
logged-out-again = Se reconnecter

## Page du compte

account-title = Votre compte
account-sign-out = Se déconnecter
sessions-title = Où vous êtes connecté
session-current = Ce navigateur
session-started = connecté { $when }
session-used = dernière utilisation { $when }
session-end = Terminer la session
session-end-of = Terminer la session : { $device }
sessions-end-others = Terminer toutes les autres sessions
device-browser = { $browser } sur { $system }
device-unknown = Appareil inconnu
applications-title = Vos applications
applications-none = Aucune application ne peut utiliser votre compte. Celles que vous autorisez apparaissent ici.
application-allowed = Autorisée { $when }
application-open = Ouvrir
application-open-of = Ouvrir { $client }
application-withdraw = Retirer l’accès
application-withdraw-of = Retirer l’accès de { $client }
notice-session-ended = Cette session est terminée.
notice-sessions-ended = Toutes les autres sessions sont terminées.
notice-withdrawn = L’application n’a plus accès à votre compte.
notice-password-changed = Votre mot de passe a été changé. Vous êtes déconnecté partout ailleurs.

## Moments

moment-now = à l’instant
moment-minutes = { $count ->
    [one] il y a { $count } minute
   *[other] il y a { $count } minutes
}
moment-hours = { $count ->
    [one] il y a { $count } heure
   *[other] il y a { $count } heures
}
moment-days = { $count ->
    [one] il y a { $count } jour
   *[other] il y a { $count } jours
}
moment-date = { $month ->
    [1] le { $day } janvier { $year }
    [2] le { $day } février { $year }
    [3] le { $day } mars { $year }
    [4] le { $day } avril { $year }
    [5] le { $day } mai { $year }
    [6] le { $day } juin { $year }
    [7] le { $day } juillet { $year }
    [8] le { $day } août { $year }
    [9] le { $day } septembre { $year }
    [10] le { $day } octobre { $year }
    [11] le { $day } novembre { $year }
   *[12] le { $day } décembre { $year }
}

## Changement de mot de passe

password-title = Changer de mot de passe
password-effect = Cela vous déconnecte partout ailleurs et déconnecte les applications qui travaillent sans vous.
password-old = Mot de passe actuel
password-new = Nouveau mot de passe
password-new-again = Nouveau mot de passe, encore une fois
password-change = Changer de mot de passe
password-back = Retour à votre compte
password-wrong = Le mot de passe actuel est incorrect.
password-unequal = Les deux nouveaux mots de passe ne sont pas identiques.
why-password-long = Un mot de passe a au plus 1024 octets.
why-password-short = Un mot de passe a au moins 8 caractères.
why-password-controls = Un mot de passe ne contient pas de caractères de contrôle.

## Erreurs : ce qui s’est passé, et que faire

error-code = Code d’erreur : { $code }
error-home = Aller à votre compte
error-request = Cela n’a pas fonctionné
error-request-advice = L’application vous a envoyé ici avec une demande à laquelle il n’est pas possible de répondre. Retournez à l’application et recommencez. Si cela n’aide pas, communiquez à son exploitant ce qui est écrit ci-dessous.
error-client = Cette application n’est pas connue ici
error-client-advice = Ne saisissez nulle part votre mot de passe pour elle. Si vous faites confiance à l’application, communiquez à son exploitant ce qui est écrit ci-dessous.
error-expired = Cela a pris trop de temps
error-expired-advice = La connexion a expiré, ou elle a commencé dans un autre navigateur. Retournez à l’application et recommencez.
error-denied = L’accès a été refusé
error-denied-advice = Rien n’a été communiqué à l’application. Retournez-y si vous voulez recommencer.
error-forged = Ce formulaire est périmé
error-forged-advice = Rien n’a été fait. Vous vous êtes peut-être connecté ou déconnecté dans une autre fenêtre, ou votre navigateur ne garde pas les cookies. Revenez en arrière, rechargez la page et réessayez.
error-missing = Cette page n’existe pas
error-missing-advice = L’adresse est incorrecte, ou la page a disparu.
error-busy = Un instant, s’il vous plaît
error-busy-advice = Trop de personnes sont ici en même temps, ou le service redémarre. Attendez quelques secondes, puis rechargez la page.
error-slow-down = Trop de tentatives
error-slow-down-advice = Rien n’a été fait. Attendez un peu, puis revenez en arrière et réessayez.
error-fault = Une erreur s’est produite ici
error-fault-advice = Ce n’est pas de votre faute, et l’erreur a été enregistrée. Réessayez dans un instant.

## Erreurs, pour l’exploitant de l’application

why-repeated = { $name } est indiqué plus d’une fois
why-repeated-parameter = le paramètre "{ $name }" est indiqué plus d’une fois
why-client-unknown = application inconnue
why-missing = { $name } manque
why-redirect_uri-unregistered = redirect_uri n’est pas enregistré pour cette application
why-too-large = la demande est trop volumineuse
why-client-keys = les clés de l’application ne peuvent pas être récupérées
why-hint = id_token_hint n’est pas un jeton d’identité de cet émetteur
why-hint-client = client_id n’est pas celui de id_token_hint
why-logout-client = post_logout_redirect_uri exige client_id ou id_token_hint
why-logout-unregistered = post_logout_redirect_uri n’est pas enregistré pour cette application
why-not-a-form = le contenu doit être application/x-www-form-urlencoded
why-incomplete = le contenu s’est terminé trop tôt ou est trop volumineux
why-encoding = un paramètre n’est pas correctement encodé en pourcentage
why-not-utf8 = un paramètre n’est pas de l’UTF-8 valide
why-nul = un paramètre contient U+0000
why-method = cette adresse n’accepte pas les demandes de cette méthode
why-too-many = trop de demandes, veuillez attendre
why-late = la demande n’est pas arrivée à temps
why-slow = la demande a pris trop de temps
why-https = https est obligatoire
why-fault = une erreur s’est produite ici ; elle est inscrite dans le journal
why-token = le jeton n’est pas valide
why-request-malformed = { $name } est mal formé
why-request-unsupported = { $name } n’est pas pris en charge
why-request-response_type = l’application n’est pas enregistrée pour response_type { $name }
why-request-response_mode = response_mode doit être parmi { $name }
why-request-query = response_mode query n’est pas pour les types de réponse avec token ou id_token
why-request-nonce = nonce manque : il est obligatoire pour un jeton d’identité
why-request-pkce = code_challenge manque : PKCE est obligatoire
why-request-pkce-method = code_challenge_method doit être S256
why-request-pkce-alone = code_challenge_method est indiqué sans code_challenge
why-request-resource = resource est inconnu ou mal formé
why-request-prompt = prompt doit se composer de none, login, consent et select_account
why-request-prompt-none = prompt none ne peut pas être accompagné d’une autre valeur
why-request-claims = claims doit être un objet JSON avec userinfo et id_token
why-request-claims-userinfo = claims contient userinfo, et response_type id_token ne donne pas de jeton d’accès
why-request-max_age = max_age doit être un nombre de secondes
why-request-recipient = l’application n’a pas de clé pour laquelle chiffrer ses jetons d’identité
why-request-scope = scope ne nomme rien que cette application puisse demander
why-request-scope-missing = scope manque, et ni l’application ni la ressource n’a de valeur par défaut
why-request-scope-openid = scope doit contenir openid lorsque response_type contient id_token
why-request-object = l’objet de requête n’est pas valide
why-request-object-response_type = response_type n’est pas celui de l’objet de requête
why-request-object-both = request ne peut pas accompagner request_uri
why-request-somebody-else = une autre personne s’est connectée
why-request-acr = la connexion n’atteint pas l’acr demandé
why-request-acr-out-of-reach = aucune connexion ici n’atteint un acr demandé
