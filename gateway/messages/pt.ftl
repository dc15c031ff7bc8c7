### O que as páginas dizem, em português. O sentido de cada mensagem está em en.ftl.

## Entrada

sign-in-title = Entrar
sign-in-button = Entrar
sign-in-to = para continuar em { $client }
sign-in-home = para ver as suas sessões e os aplicativos conectados
sign-in-username = Nome de usuário ou e-mail
sign-in-password = Senha
sign-in-warning = Antes de digitar a senha, verifique se o endereço desta página começa com { $site }.
sign-in-wrong = O nome de usuário ou a senha não está correto.
too-many-attempts = { $seconds ->
    [one] Tentativas demais. Aguarde { $seconds } segundo e tente novamente.
   *[other] Tentativas demais. Aguarde { $seconds } segundos e tente novamente.
}
confirm-title = Confirme que é você
confirm-password = Digite a sua senha novamente.
confirm-password-to = Digite a sua senha novamente para continuar em { $client }.
not-you = Não é você?
title-error = Erro: { $title }

## Página que abre a página de entrada

moment-title = Um momento
moment-automatic = A página de entrada abre sozinha.
moment-manual = Por favor, abra a página de entrada.
continue = Continuar

## O que um aplicativo diz de si

client-about = Sobre { $client }
client-policy = Política de privacidade
client-tos = Termos de serviço

## Escolha de uma conta

select-account-title = Escolha uma conta
select-account-signed-out = sessão encerrada
select-account-other = Usar outra conta

## Consentimento

consent-title = Permitir { $client }?
consent-user = Você entrou como { $user }.
consent-scopes = O aplicativo poderá
consent-resources = Para uso com { $resources }.
consent-returns = Depois você volta para { $host }.
consent-withdraw = Você pode retirar esta permissão a qualquer momento na página da sua conta.
consent-allow = Permitir
consent-deny = Negar

## O que um aplicativo pode fazer

scope-openid = Saber que é você
scope-profile = Ver o seu nome e o seu perfil
scope-email = Ver o seu endereço de e-mail
scope-address = Ver o seu endereço postal
scope-phone = Ver o seu número de telefone
scope-offline_access = Manter o acesso enquanto você está ausente
scope-roles = Agir com as funções que você tem aqui

## Volta ao aplicativo

form-post-title = De volta ao aplicativo
form-post-hint = Se nada acontecer, pressione o botão.

## Saída

logout-title = Sair?
logout-client = { $client } pede para encerrar a sua sessão em { $site }.
logout-session = Isto encerra a sua sessão em { $site } neste navegador.
logout-yes = Sair
logout-no = Continuar conectado
logging-out-title = Saída
logging-out-told = Os aplicativos que você usou são avisados. Se nada acontecer, continue você mesmo.
session-over-title = Uma sessão foi encerrada
session-over-told = A sessão que estava aberta neste navegador foi encerrada, e os aplicativos que a usavam são avisados. Se nada acontecer, continue você mesmo.
logged-out-title = Sessão encerrada
logged-out-heading = Você saiu
logged-out-session = A sua sessão em { $site } foi encerrada neste navegador.
logged-out-elsewhere = Um aplicativo que você usou pode ainda manter uma sessão própria: em um computador compartilhado, saia também de lá.
logged-out-again = Entrar novamente

## Página da conta

account-title = A sua conta
account-sign-out = Sair
sessions-title = Onde você está conectado
session-current = Este navegador
session-started = entrada { $when }
session-used = último uso { $when }
session-end = Encerrar sessão
session-end-of = Encerrar sessão: { $device }
sessions-end-others = Encerrar todas as outras sessões
device-browser = { $browser } em { $system }
device-unknown = Dispositivo desconhecido
applications-title = Seus aplicativos
applications-none = Nenhum aplicativo pode usar a sua conta. Quando você permitir um, ele aparecerá aqui.
application-allowed = Permitido { $when }
application-open = Abrir
application-open-of = Abrir { $client }
application-withdraw = Retirar o acesso
application-withdraw-of = Retirar o acesso de { $client }
notice-session-ended = Essa sessão foi encerrada.
notice-sessions-ended = Todas as outras sessões foram encerradas.
notice-withdrawn = O aplicativo perdeu o acesso à sua conta.
notice-password-changed = A sua senha foi alterada. Você saiu em todos os outros lugares.

## Momentos

moment-now = agora mesmo
moment-minutes = { $count ->
    [one] há { $count } minuto
   *[other] há { $count } minutos
}
moment-hours = { $count ->
    [one] há { $count } hora
   *[other] há { $count } horas
}
moment-days = { $count ->
    [one] há { $count } dia
   *[other] há { $count } dias
}
moment-date = { $month ->
    [1] em { $day } de janeiro de { $year }
    [2] em { $day } de fevereiro de { $year }
    [3] em { $day } de março de { $year }
    [4] em { $day } de abril de { $year }
    [5] em { $day } de maio de { $year }
    [6] em { $day } de junho de { $year }
    [7] em { $day } de julho de { $year }
    [8] em { $day } de agosto de { $year }
    [9] em { $day } de setembro de { $year }
    [10] em { $day } de outubro de { $year }
    [11] em { $day } de novembro de { $year }
   *[12] em { $day } de dezembro de { $year }
}

## Alteração da senha

password-title = Alterar a senha
password-effect = Isto encerra as suas sessões em todos os outros lugares e desconecta aplicativos que trabalham sem você.
password-old = Senha atual
password-new = Nova senha
password-new-again = Nova senha, mais uma vez
password-change = Alterar a senha
password-back = Voltar para a sua conta
password-wrong = A senha atual não está correta.
password-unequal = As duas novas senhas não são iguais.
why-password-long = Uma senha tem no máximo 1024 bytes.
why-password-short = Uma senha tem pelo menos 8 caracteres.
why-password-controls = Uma senha não tem caracteres de controle.

## Erros: o que aconteceu e o que fazer

error-code = Código de erro: { $code }
error-home = Ir para a sua conta
error-request = Isto não funcionou
error-request-advice = O aplicativo enviou você para cá com um pedido que não pode ser respondido. Volte ao aplicativo e comece novamente. Se isso não ajudar, informe ao operador dele o que está escrito abaixo.
error-client = Este aplicativo não é conhecido aqui
error-client-advice = Não digite a sua senha para ele em lugar nenhum. Se você confia no aplicativo, informe ao operador dele o que está escrito abaixo.
error-expired = Isto demorou demais
error-expired-advice = A entrada expirou ou começou em outro navegador. Volte ao aplicativo e comece novamente.
error-denied = O acesso foi negado
error-denied-advice = Nada foi compartilhado com o aplicativo. Volte a ele se quiser começar novamente.
error-forged = Este formulário está desatualizado
error-forged-advice = Nada foi feito. Talvez você tenha entrado ou saído em outra janela, ou o seu navegador não guarda cookies. Volte, recarregue a página e tente novamente.
error-missing = Esta página não existe
error-missing-advice = O endereço está errado ou a página não existe mais.
error-busy = Um momento, por favor
error-busy-advice = Há pessoas demais aqui ao mesmo tempo, ou o serviço está sendo reiniciado. Aguarde alguns segundos e recarregue a página.
error-slow-down = Tentativas demais
error-slow-down-advice = Nada foi feito. Aguarde um pouco, volte e tente novamente.
error-fault = Algo deu errado aqui
error-fault-advice = A culpa não é sua, e o erro foi registrado. Tente novamente em um instante.

## Erros, para o operador do aplicativo

why-repeated = { $name } foi informado mais de uma vez
why-repeated-parameter = o parâmetro "{ $name }" foi informado mais de uma vez
why-client-unknown = aplicativo desconhecido
why-missing = falta { $name }
why-redirect_uri-unregistered = redirect_uri não está registrado para este aplicativo
why-too-large = o pedido é grande demais
why-client-keys = as chaves do aplicativo não podem ser obtidas
why-hint = id_token_hint não é um token de identidade deste emissor
why-hint-client = client_id não é o de id_token_hint
why-logout-client = post_logout_redirect_uri precisa de client_id ou id_token_hint
why-logout-unregistered = post_logout_redirect_uri não está registrado para este aplicativo
why-not-a-form = o conteúdo deve ser application/x-www-form-urlencoded
why-incomplete = o conteúdo terminou cedo demais ou é grande demais
why-encoding = um parâmetro não está codificado corretamente com porcentagens
why-not-utf8 = um parâmetro não é UTF-8 válido
why-nul = um parâmetro contém U+0000
why-method = este endereço não aceita pedidos deste método
why-too-many = pedidos demais, aguarde por favor
why-late = o pedido não chegou a tempo
why-slow = o pedido demorou demais
why-https = https é necessário
why-fault = algo deu errado aqui; está no registro
why-token = o token não é válido
why-request-malformed = { $name } está malformado
why-request-unsupported = { $name } não é suportado
why-request-response_type = o aplicativo não está registrado para response_type { $name }
why-request-response_mode = response_mode deve ser um de { $name }
why-request-query = response_mode query não é para tipos de resposta com token ou id_token
why-request-nonce = falta nonce: é necessário para um token de identidade
why-request-pkce = falta code_challenge: é necessário PKCE
why-request-pkce-method = code_challenge_method deve ser S256
why-request-pkce-alone = code_challenge_method foi informado sem code_challenge
why-request-resource = resource é desconhecido ou está malformado
why-request-prompt = prompt deve ser composto de none, login, consent e select_account
why-request-prompt-none = prompt none não pode estar com outro valor
why-request-claims = claims deve ser um objeto JSON com userinfo e id_token
why-request-claims-userinfo = claims contém userinfo, e response_type id_token não dá token de acesso
why-request-max_age = max_age deve ser um número de segundos
why-request-recipient = o aplicativo não tem chave para a qual cifrar os seus tokens de identidade
why-request-scope = scope não nomeia nada que este aplicativo possa pedir
why-request-scope-missing = falta scope, e nem o aplicativo nem o recurso tem um valor padrão
why-request-scope-openid = scope deve conter openid quando response_type contém id_token
why-request-object = o objeto de pedido não é válido
why-request-object-response_type = response_type não é o do objeto de pedido
why-request-object-both = request não pode estar junto de request_uri
why-request-somebody-else = outra pessoa entrou
why-request-acr = a entrada não alcança o acr pedido
why-request-acr-out-of-reach = nenhuma entrada aqui alcança um acr pedido
