//! Which credential counts: the environment's, given there or as the name of a file, before that of the configuration
//! file. Called by `merge`.

use super::CredentialSource;
use super::environment::{self, Environment};
use super::error::{Fault, shown_path};
use super::file::{self, FileCredential};
use super::section::Findings;
use super::source;
use crate::secret::Secret;
use std::path::PathBuf;

/// One credential in the environment: the variable that holds it, and the one that names a file with it.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a> {
    value: (&'a str, Option<&'a Secret>),
    file: (&'a str, Option<&'a PathBuf>),
}

impl<'a> Variables<'a> {
    pub(super) const fn of_id(environment: &'a Environment) -> Self {
        Self {
            value: (environment::CLIENT_ID, environment.client_id.as_ref()),
            file: (environment::CLIENT_ID_FILE, environment.client_id_file.as_ref()),
        }
    }

    pub(super) const fn of_secret(environment: &'a Environment) -> Self {
        Self {
            value: (environment::CLIENT_SECRET, environment.client_secret.as_ref()),
            file: (environment::CLIENT_SECRET_FILE, environment.client_secret_file.as_ref()),
        }
    }
}

/// The environment's credential, else the file's. A file of credentials is looked at only if it is the one used.
pub(super) fn credential(
    findings: &mut Findings,
    file: Option<FileCredential>,
    environment: Variables<'_>,
) -> Option<CredentialSource> {
    let Variables { value: (variable, value), file: (file_variable, path) } = environment;
    match (value, path) {
        (Some(_), Some(_)) => {
            let message = format!("is set, and {variable}, too; unset one of them");
            findings.faults.push(Fault::outside(file_variable, message));
            None
        }
        (Some(value), None) => match file::check_credential(variable, value.expose()) {
            Ok(value) => {
                Some(CredentialSource::Value { value: Secret::new(value), origin: variable.to_owned() })
            }
            Err(message) => {
                findings.faults.push(Fault::outside(variable, message));
                None
            }
        },
        (None, Some(path)) => {
            if let Err(message) = source::check_credential(path) {
                let message = format!("{} {message}", shown_path(path));
                findings.faults.push(Fault::outside(file_variable, message));
            }
            Some(CredentialSource::File(path.clone()))
        }
        (None, None) => {
            let credential = file?;
            if let CredentialSource::File(path) = &credential.source
                && let Err(message) = source::check_credential(path)
            {
                findings.fault(credential.line, credential.key, format!("{} {message}", shown_path(path)));
            }
            Some(credential.source)
        }
    }
}
