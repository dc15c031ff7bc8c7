### Lo que dicen las páginas, en español. El sentido de cada mensaje está en en.ftl.

## Inicio de sesión

sign-in-title = Iniciar sesión
sign-in-button = Iniciar sesión
sign-in-to = para continuar a { $client }
sign-in-home = para ver sus sesiones y aplicaciones conectadas
sign-in-username = Nombre de usuario o correo electrónico
sign-in-password = Contraseña
sign-in-warning = Antes de escribir su contraseña, compruebe que la dirección de esta página empieza por { $site }.
sign-in-wrong = El nombre de usuario o la contraseña no es correcto.
too-many-attempts = { $seconds ->
    [one] Demasiados intentos. Espere { $seconds } segundo y vuelva a intentarlo.
   *[other] Demasiados intentos. Espere { $seconds } segundos y vuelva a intentarlo.
}
confirm-title = Confirme que es usted
confirm-password = Escriba de nuevo su contraseña.
confirm-password-to = Escriba de nuevo su contraseña para continuar a { $client }.
not-you = ¿No es usted?
title-error = Error: { $title }

## Página que abre la página de inicio de sesión

moment-title = Un momento
moment-automatic = La página de inicio de sesión se abre sola.
moment-manual = Abra la página de inicio de sesión, por favor.
continue = Continuar

## Lo que una aplicación dice de sí misma

client-about = Acerca de { $client }
client-policy = Política de privacidad
client-tos = Condiciones del servicio

## Elección de una cuenta

select-account-title = Elija una cuenta
select-account-signed-out = sesión cerrada
select-account-other = Usar otra cuenta

## Consentimiento

consent-title = ¿Permitir { $client }?
consent-user = Ha iniciado sesión como { $user }.
consent-scopes = La aplicación podrá
consent-resources = Para usar con { $resources }.
consent-returns = Después volverá a { $host }.
consent-withdraw = Puede retirar este permiso en cualquier momento en la página de su cuenta.
consent-allow = Permitir
consent-deny = Denegar

## Lo que una aplicación puede hacer

scope-openid = Saber que es usted
scope-profile = Ver su nombre y su perfil
scope-email = Ver su dirección de correo electrónico
scope-address = Ver su dirección postal
scope-phone = Ver su número de teléfono
scope-offline_access = Conservar el acceso mientras usted no está
scope-roles = Actuar con los roles que usted tiene aquí

## Vuelta a la aplicación

form-post-title = Volver a la aplicación
form-post-hint = Si no ocurre nada, pulse el botón.

## Cierre de sesión

logout-title = ¿Cerrar sesión?
logout-client = { $client } pide cerrar su sesión en { $site }.
logout-session = Esto termina su sesión en { $site } en este navegador.
logout-yes = Cerrar sesión
logout-no = Seguir con la sesión abierta
logging-out-title = Cierre de sesión
logging-out-told = Se avisa a las aplicaciones que ha usado. Si no ocurre nada, continúe usted.
session-over-title = Una sesión ha terminado
session-over-told = La sesión que estaba abierta en este navegador ha terminado, y se avisa a las aplicaciones que la usaban. Si no ocurre nada, continúe usted.
logged-out-title = Sesión cerrada
logged-out-heading = Ha cerrado la sesión
logged-out-session = Su sesión en { $site } ha terminado en este navegador.
logged-out-elsewhere = Una aplicación que ha usado puede mantener aún una sesión propia: en un ordenador compartido, cierre también la sesión allí.
logged-out-again = Iniciar sesión de nuevo

## Página de la cuenta

account-title = Su cuenta
account-sign-out = Cerrar sesión
sessions-title = Dónde tiene la sesión iniciada
session-current = Este navegador
session-started = sesión iniciada { $when }
session-used = último uso { $when }
session-end = Terminar la sesión
session-end-of = Terminar la sesión: { $device }
sessions-end-others = Terminar todas las demás sesiones
device-browser = { $browser } en { $system }
device-unknown = Dispositivo desconocido
applications-title = Sus aplicaciones
applications-none = Ninguna aplicación puede usar su cuenta. Cuando permita una, aparecerá aquí.
application-allowed = Permitida { $when }
application-open = Abrir
application-open-of = Abrir { $client }
application-withdraw = Retirar el acceso
application-withdraw-of = Retirar el acceso de { $client }
notice-session-ended = Esa sesión ha terminado.
notice-sessions-ended = Todas las demás sesiones han terminado.
notice-withdrawn = La aplicación ya no tiene acceso a su cuenta.
notice-password-changed = Su contraseña ha cambiado. Se ha cerrado su sesión en todos los demás sitios.

## Momentos

moment-now = ahora mismo
moment-minutes = { $count ->
    [one] hace { $count } minuto
   *[other] hace { $count } minutos
}
moment-hours = { $count ->
    [one] hace { $count } hora
   *[other] hace { $count } horas
}
moment-days = { $count ->
    [one] hace { $count } día
   *[other] hace { $count } días
}
moment-date = { $month ->
    [1] el { $day } de enero de { $year }
    [2] el { $day } de febrero de { $year }
    [3] el { $day } de marzo de { $year }
    [4] el { $day } de abril de { $year }
    [5] el { $day } de mayo de { $year }
    [6] el { $day } de junio de { $year }
    [7] el { $day } de julio de { $year }
    [8] el { $day } de agosto de { $year }
    [9] el { $day } de septiembre de { $year }
    [10] el { $day } de octubre de { $year }
    [11] el { $day } de noviembre de { $year }
   *[12] el { $day } de diciembre de { $year }
}

## Cambio de contraseña

password-title = Cambiar la contraseña
password-effect = Esto cierra su sesión en todos los demás sitios y desconecta las aplicaciones que trabajan sin usted.
password-old = Contraseña actual
password-new = Contraseña nueva
password-new-again = Contraseña nueva, otra vez
password-change = Cambiar la contraseña
password-back = Volver a su cuenta
password-wrong = La contraseña actual no es correcta.
password-unequal = Las dos contraseñas nuevas no son iguales.
why-password-long = Una contraseña tiene como máximo 1024 bytes.
why-password-short = Una contraseña tiene al menos 8 caracteres.
why-password-controls = Una contraseña no tiene caracteres de control.

## Errores: qué ha ocurrido y qué hacer

error-code = Código de error: { $code }
error-home = Ir a su cuenta
error-request = Esto no ha funcionado
error-request-advice = La aplicación le ha enviado aquí con una solicitud que no se puede responder. Vuelva a la aplicación y empiece de nuevo. Si eso no ayuda, comunique a su operador lo que se indica abajo.
error-client = Esta aplicación no se conoce aquí
error-client-advice = No escriba su contraseña para ella en ningún sitio. Si confía en la aplicación, comunique a su operador lo que se indica abajo.
error-expired = Esto ha tardado demasiado
error-expired-advice = El inicio de sesión ha caducado o empezó en otro navegador. Vuelva a la aplicación y empiece de nuevo.
error-denied = Se ha denegado el acceso
error-denied-advice = No se ha comunicado nada a la aplicación. Vuelva a ella si quiere empezar de nuevo.
error-forged = Este formulario ha quedado anticuado
error-forged-advice = No se ha hecho nada. Quizá haya iniciado o cerrado sesión en otra ventana, o su navegador no guarda cookies. Vuelva atrás, recargue la página e inténtelo de nuevo.
error-missing = Esta página no existe
error-missing-advice = La dirección es incorrecta o la página ya no está.
error-busy = Un momento, por favor
error-busy-advice = Hay demasiadas personas aquí a la vez, o el servicio se está reiniciando. Espere unos segundos y recargue la página.
error-slow-down = Demasiados intentos
error-slow-down-advice = No se ha hecho nada. Espere un poco, vuelva atrás e inténtelo de nuevo.
error-fault = Algo ha fallado aquí
error-fault-advice = No es culpa suya, y ha quedado registrado. Inténtelo de nuevo dentro de un momento.

## Errores, para el operador de la aplicación

why-repeated = { $name } se indica más de una vez
why-repeated-parameter = el parámetro "{ $name }" se indica más de una vez
why-client-unknown = aplicación desconocida
why-missing = falta { $name }
why-redirect_uri-unregistered = redirect_uri no está registrado para esta aplicación
why-too-large = la solicitud es demasiado grande
why-client-keys = no se pueden obtener las claves de la aplicación
why-hint = id_token_hint no es un token de identidad de este emisor
why-hint-client = client_id no es el de id_token_hint
why-logout-client = post_logout_redirect_uri necesita client_id o id_token_hint
why-logout-unregistered = post_logout_redirect_uri no está registrado para esta aplicación
why-not-a-form = el contenido debe ser application/x-www-form-urlencoded
why-incomplete = el contenido terminó antes de tiempo o es demasiado grande
why-encoding = un parámetro no está bien codificado con porcentajes
why-not-utf8 = un parámetro no es UTF-8 válido
why-nul = un parámetro contiene U+0000
why-method = esta dirección no acepta solicitudes de este método
why-too-many = demasiadas solicitudes, espere por favor
why-late = la solicitud no llegó a tiempo
why-slow = la solicitud ha tardado demasiado
why-https = se necesita https
why-fault = algo ha fallado aquí; consta en el registro
why-token = el token no es válido
why-request-malformed = { $name } tiene una forma incorrecta
why-request-unsupported = { $name } no se admite
why-request-response_type = la aplicación no está registrada para response_type { $name }
why-request-response_mode = response_mode debe ser uno de { $name }
why-request-query = response_mode query no es para tipos de respuesta con token o id_token
why-request-nonce = falta nonce: es necesario para un token de identidad
why-request-pkce = falta code_challenge: se necesita PKCE
why-request-pkce-method = code_challenge_method debe ser S256
why-request-pkce-alone = code_challenge_method se indica sin code_challenge
why-request-resource = resource es desconocido o tiene una forma incorrecta
why-request-prompt = prompt debe componerse de none, login, consent y select_account
why-request-prompt-none = prompt none no puede ir con otro valor
why-request-claims = claims debe ser un objeto JSON con userinfo e id_token
why-request-claims-userinfo = claims contiene userinfo, y response_type id_token no da ningún token de acceso
why-request-max_age = max_age debe ser un número de segundos
why-request-recipient = la aplicación no tiene una clave para la que cifrar sus tokens de identidad
why-request-scope = scope no nombra nada que esta aplicación pueda pedir
why-request-scope-missing = falta scope, y ni la aplicación ni el recurso tienen un valor por defecto
why-request-scope-openid = scope debe contener openid cuando response_type contiene id_token
why-request-object = el objeto de solicitud no es válido
why-request-object-response_type = response_type no es el del objeto de solicitud
why-request-object-both = request no puede ir junto a request_uri
why-request-somebody-else = otra persona ha iniciado sesión
why-request-acr = el inicio de sesión no alcanza el acr pedido
why-request-acr-out-of-reach = ningún inicio de sesión alcanza aquí un acr pedido
