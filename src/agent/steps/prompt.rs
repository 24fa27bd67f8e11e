//! Which prompt a model call is sent: the agent's own, or one that holds what is
//! remembered by now.

use std::sync::Arc;

use super::Turn;
use crate::agent::memory::{self, MemoryError};
use crate::agent::{MemoryAccess, prompts};
use crate::message::Prompt;

impl Turn<'_> {
    /// Of an agent with a memory in its prompts, the memory as it is now: what the person
    /// said in this very run is in it.
    pub async fn agent_prompt(&self) -> Result<Arc<Prompt>, MemoryError> {
        let agent = &self.attempt().agent;
        let settings = &agent.settings;
        if !agent.kind.remembers() || settings.behaviour.memory == MemoryAccess::Tools {
            return Ok(Arc::clone(&agent.prompts.agent));
        }
        let preferences =
            memory::preferences(&*self.attempt().store, &settings.preferences).await?;
        let system = prompts::asking_agent(&agent.toolbox.tools(), &preferences, settings.date);
        Ok(Prompt::new(system, agent.toolbox.specs()))
    }

    /// The router has no tools, so what is remembered stands in its prompt in any case.
    pub async fn router_prompt(&self) -> Result<Arc<Prompt>, MemoryError> {
        let agent = &self.attempt().agent;
        if !agent.kind.remembers() {
            return Ok(Arc::clone(&agent.prompts.router));
        }
        let defaults = &agent.settings.preferences;
        let preferences = memory::preferences(&*self.attempt().store, defaults).await?;
        Ok(Prompt::new(prompts::router(&preferences), Vec::new()))
    }
}
