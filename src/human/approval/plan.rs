//! Plans that a person may change before they are carried out.

use serde_json::Value;

use crate::run::Response;

/// The answer holds no plan, and nothing may be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    #[error("the plan was not agreed to; the person says: {0}")]
    NotAgreed(String),
    #[error("the edited plan has no list of texts under `{0}`")]
    NoSteps(String),
}

/// The steps to run after a person's answer to a plan, these and no others, in this order.
///
/// Accept leaves the steps as they were `proposed`, ignore leaves none, and an edit has its
/// own under `key`, as a list or as JSON in a text (which edit forms make of lists).
///
/// # Errors
/// [`NoPlan`] where the answer is a remark, or an edit without a list of steps.
pub fn agreed_steps(
    proposed: &[String],
    key: &str,
    response: &Response,
) -> Result<Vec<String>, NoPlan> {
    match response {
        Response::Accept => Ok(proposed.to_vec()),
        Response::Ignore => Ok(Vec::new()),
        Response::Respond(text) => Err(NoPlan::NotAgreed(text.clone())),
        Response::Edit(args) => {
            let steps = match args.get(key) {
                Some(Value::String(json)) => serde_json::from_str(json).ok(),
                Some(value) => serde_json::from_value(value.clone()).ok(),
                None => None,
            };
            steps.ok_or_else(|| NoPlan::NoSteps(key.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_steps_that_came_back_are_run_and_in_their_order() {
        let edit = |steps: Value| {
            let args = json!({ "steps": steps, "note": "x" });
            Response::Edit(args.as_object().unwrap().clone())
        };
        let no_steps = Err(NoPlan::NoSteps("steps".into()));
        for (response, steps) in [
            (Response::Accept, Ok(vec!["look", "refund", "write"])),
            (Response::Ignore, Ok(vec![])),
            (edit(json!(["write", "look"])), Ok(vec!["write", "look"])),
            (edit(json!([])), Ok(vec![])),
            (edit(json!("[\"write\"]")), Ok(vec!["write"])),
            (edit(json!(["call first"])), Ok(vec!["call first"])),
            (edit(json!("all of it")), no_steps.clone()),
            (edit(json!([1])), no_steps.clone()),
            (edit(json!(null)), no_steps.clone()),
            (Response::Edit(Default::default()), no_steps),
            (
                Response::Respond("No refund.".into()),
                Err(NoPlan::NotAgreed("No refund.".into())),
            ),
        ] {
            let proposed = ["look", "refund", "write"].map(str::to_owned);
            let steps = steps.map(|steps| steps.into_iter().map(str::to_owned).collect());
            assert_eq!(
                agreed_steps(&proposed, "steps", &response),
                steps,
                "{response:?}"
            );
        }
    }
}
