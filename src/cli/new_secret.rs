//! `edgekeep secret new`: makes a secret, and says what to put where.

use crate::cli::args::SecretAction;
use crate::cli::failure::Failure;
use crate::cli::output::{self, STRONG, styled};
use crate::cli::remote::secret::{NewSecret, SecretError, SecretKind};
use crate::cli::system;
use serde_json::json;

/// Makes a secret and prints it.
pub fn run(action: &SecretAction) -> Result<(), Failure> {
    let SecretAction::New(args) = action;
    let kind = match (args.ed25519, args.token) {
        (true, _) => SecretKind::Ed25519,
        (_, true) => SecretKind::Token,
        _ => SecretKind::Hmac,
    };
    let bits = system::random_bytes().map_err(SecretError::System)?;
    let secret = NewSecret::make(kind, bits)?;
    if args.json {
        return Ok(output::json(
            &json!({ "worker": secret.worker, "caller": secret.caller }),
        )?);
    }
    let heading = |text: &str| output::line(styled(STRONG, text));
    heading("For the Worker: run `npx wrangler secret put PURGE_SECRETS` and paste")?;
    output::line(&secret.worker)?;
    output::line("")?;
    if kind == SecretKind::Ed25519 {
        heading("For the caller alone: save as key.pem, and sign with --secret-file key.pem")?;
        output::line(&secret.caller)?;
        return Ok(());
    }
    heading("For the caller: the same, as the variable EDGEKEEP_SECRET")?;
    output::line(format!("export EDGEKEEP_SECRET='{}'", secret.caller))?;
    Ok(())
}
