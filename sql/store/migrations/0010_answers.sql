-- What the functions behind an endpoint give each other before it is a row for the gateway.

create type identity_store.answer as (outcome text, detail text, answer json);
comment on type identity_store.answer is
  'An outcome, what the log is told of it, and what the gateway makes a response of: the columns of every protocol function.';
comment on column identity_store.answer.outcome is 'The label: ok, what happens next, or an OAuth error code.';
comment on column identity_store.answer.detail is 'For the log, never for whoever asked; NULL when there is nothing to say.';
comment on column identity_store.answer.answer is 'What the gateway makes a response of; its members are those of the function that answers.';
