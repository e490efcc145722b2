//! The nouns: an episode, its agents, turns, queries and outcome.
//!
//! One type serves every source. A tool trajectory has agents that call tools; an arena record has one asker and
//! two answering models; a meeting has many speakers and queries asked at its end. What a source does not know is
//! `None` or empty, never a made-up value.

use serde::{Deserialize, Serialize};

/// Who wrote a turn, in the vocabulary of the chat APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand before the conversation; never compressed.
    System,
    /// A person, or another program that asks.
    User,
    /// A model that answers and calls tools.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// A speaker of a transcript who is neither asking nor answering.
    Speaker,
}

impl Role {
    /// Every role, in the order of [`Role::index`].
    pub const ALL: [Self; 5] = [Self::System, Self::User, Self::Assistant, Self::Tool, Self::Speaker];

    /// Position of this role in [`Role::ALL`], the row of its embedding.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The lower-case name used on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Speaker => "speaker",
        }
    }

    /// The role with this lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A speaker of the episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Name, unique within the episode.
    pub name: String,
    /// The model behind it, where the source says so.
    pub model: Option<String>,
}

/// One call of a tool, as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Identifier that the result refers to, where the source has one.
    pub id: Option<String>,
    /// Name of the tool.
    pub name: String,
    /// The arguments as the model's own JSON text.
    pub arguments: String,
}

/// One message of the episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Index into [`Episode::agents`].
    pub agent: usize,
    /// Role of the speaker in this turn.
    pub role: Role,
    /// Text of the turn; empty for a turn that only calls tools.
    pub content: String,
    /// Calls made in this turn, in order.
    pub tool_calls: Vec<ToolCall>,
    /// For a tool result: the tool that produced it.
    pub tool_name: Option<String>,
    /// For a tool result: the [`ToolCall::id`] it answers, where the source has one.
    pub tool_call_id: Option<String>,
    /// cl100k_base tokens of content, names and arguments, once the episode is annotated.
    pub tokens: Option<u32>,
}

/// A question asked about the whole episode, with the turns that answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The question.
    pub text: String,
    /// The reference answer.
    pub answer: String,
    /// Inclusive turn ranges that hold the evidence; empty where the source has none.
    pub evidence: Vec<(u32, u32)>,
}

/// Which of two answering models a judge preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Winner {
    /// The first model.
    ModelA,
    /// The second model.
    ModelB,
    /// Neither.
    Tie,
}

/// How the episode ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Reward of the task, where one was given.
    pub reward: Option<f64>,
    /// Whether the task was solved, where that was checked.
    pub success: Option<bool>,
    /// The judges' verdict of a two-model episode.
    pub winner: Option<Winner>,
    /// Number of votes behind `winner`.
    pub votes: Option<u32>,
}

/// One multi-agent run from its first message to its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Unique within a data set.
    pub id: String,
    /// The unit of splitting: episodes of one group never stand on both sides.
    pub group: String,
    /// Where the episode comes from.
    pub source: String,
    /// Licence of the text.
    pub license: String,
    /// What the agents were asked to do, where the source says so; agents do not see it.
    pub task: Option<String>,
    /// The speakers.
    pub agents: Vec<Agent>,
    /// The messages in order.
    pub turns: Vec<Turn>,
    /// Questions about the whole episode.
    pub queries: Vec<Query>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Episode {
    /// Sum of the annotated token counts; turns that are not annotated count 0.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.turns.iter().map(|turn| u64::from(turn.tokens.unwrap_or(0))).sum()
    }

    /// Index of the agent with this name, added if it is new.
    pub fn agent_index(&mut self, name: &str) -> usize {
        self.agents.iter().position(|agent| agent.name == name).unwrap_or_else(|| {
            self.agents.push(Agent { name: name.to_owned(), model: None });
            self.agents.len() - 1
        })
    }
}

impl Turn {
    /// A turn of plain text without calls.
    #[must_use]
    pub fn text(agent: usize, role: Role, content: impl Into<String>) -> Self {
        Self {
            agent,
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_name: None,
            tool_call_id: None,
            tokens: None,
        }
    }

    /// The text that is counted and shown: the content, then each call as `name(arguments)`, one a line.
    #[must_use]
    pub fn shown(&self) -> String {
        let calls = self.tool_calls.iter().map(|call| format!("{}({})", call.name, call.arguments));
        let parts: Vec<String> =
            Some(self.content.clone()).into_iter().filter(|text| !text.is_empty()).chain(calls).collect();
        parts.join("\n")
    }
}
