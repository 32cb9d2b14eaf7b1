//! Provider functions.

use std::collections::HashMap;

use super::super::function::{Parameter, Signature};
use super::super::panics::guard_sync;
use super::super::wire::tfplugin6 as pb;
use super::super::{Diagnostics, FunctionError, Provider};
use super::{Service, convert};

impl<P: Provider> Service<P> {
    pub(super) fn functions(&self) -> HashMap<String, pb::Function> {
        let functions = &self.tables().types.functions;
        functions.iter().map(|(name, function)| (name.clone(), wire(function.signature()))).collect()
    }

    /// Must be called within a request.
    pub(super) fn call_function(&self, request: &pb::call_function::Request) -> pb::call_function::Response {
        match self.result(request) {
            Ok(result) => pb::call_function::Response { result: Some(result), error: None },
            Err(FunctionError { message, argument }) => pb::call_function::Response {
                result: None,
                error: Some(pb::FunctionError { text: message, function_argument: argument.map(|index| index as i64) }),
            },
        }
    }

    fn result(&self, request: &pb::call_function::Request) -> Result<pb::DynamicValue, FunctionError> {
        let function = self.tables().types.functions.get(&request.name);
        let function =
            function.ok_or_else(|| FunctionError::new(format!("there is no function `{}`", request.name)))?;
        let signature = function.signature();
        let mut arguments = Vec::new();
        for (index, argument) in request.arguments.iter().enumerate() {
            let parameter = signature.parameters.get(index).or(signature.variadic.as_ref());
            let parameter = parameter.ok_or_else(|| FunctionError::argument(index, "it is one too many"))?;
            let value = convert::value(Some(argument), &parameter.ty);
            arguments.push(value.map_err(|d| FunctionError::argument(index, text(&d)))?);
        }
        if arguments.len() < signature.parameters.len() {
            return Err(FunctionError::new("arguments are missing"));
        }
        let result = guard_sync(|| function.call(arguments)).map_err(|d| FunctionError::new(text(&d)))??;
        let message = convert::message(result, &signature.returns).map_err(|d| FunctionError::new(text(&d)))?;
        message.ok_or_else(|| FunctionError::new("there is no result"))
    }
}

fn text(d: &Diagnostics) -> String {
    d.iter().map(|d| format!("{}. {}", d.summary(), d.detail())).collect::<Vec<_>>().join(" ")
}

fn wire(signature: &Signature) -> pb::Function {
    let parameter = |parameter: &Parameter| pb::function::Parameter {
        name: parameter.name.clone(),
        r#type: parameter.ty.to_json().to_string().into_bytes(),
        allow_null_value: parameter.null,
        allow_unknown_values: false,
        description: parameter.doc.clone(),
        description_kind: pb::StringKind::Markdown.into(),
    };
    pb::Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter),
        r#return: Some(pb::function::Return { r#type: signature.returns.to_json().to_string().into_bytes() }),
        summary: signature.summary.clone(),
        description: signature.description.clone(),
        description_kind: pb::StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}
