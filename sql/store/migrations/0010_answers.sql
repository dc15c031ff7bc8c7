-- What the functions behind an endpoint give each other before it is a row for the gateway.

create type identity_store.answer as (outcome text, detail text, answer json);
comment on type identity_store.answer is
  'An outcome, what the log is told of it, and what the gateway makes a response of: the columns of every protocol function.';
