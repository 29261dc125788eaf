//! Runs a plain filter.

use std::cell::Cell;

use super::{
    filter::{Change, Filter, Part, Step, Term},
    functions,
    value::{Answer, Members, Text, Unsure, Value, find, insert},
};

/// Calls and items that a document may take; more are left to the interpreter, which has bounds of its own.
const STEPS_MAX: u32 = 100_000;

/// How deep definitions may call each other: deeper than a document is nested.
const DEPTH_MAX: u32 = 200;

/// At work on one document.
pub(super) struct Run<'d> {
    definitions: &'d [Filter],
    steps_left: Cell<u32>,
    depth: Cell<u32>,
}

/// What `as` has bound, from the inside out.
pub(super) struct Binding<'e, 'd> {
    value: &'e Value<'d>,
    outer: Bindings<'e, 'd>,
}

type Bindings<'e, 'd> = Option<&'e Binding<'e, 'd>>;

type Output<'o, 'd> = &'o mut dyn FnMut(Value<'d>) -> Answer<()>;

impl<'d> Run<'d> {
    pub(super) fn new(definitions: &'d [Filter]) -> Self {
        Self { definitions, steps_left: Cell::new(STEPS_MAX), depth: Cell::new(0) }
    }

    fn step(&self) -> Answer<()> {
        self.steps_left.set(self.steps_left.get().checked_sub(1).ok_or(Unsure)?);
        Ok(())
    }

    /// Runs a definition's body.
    fn called<T>(&self, index: usize, body: impl FnOnce(&'d Filter) -> Answer<T>) -> Answer<T> {
        self.step()?;
        if self.depth.get() == DEPTH_MAX {
            return Err(Unsure);
        }
        self.depth.set(self.depth.get() + 1);
        let answer = body(&self.definitions[index]);
        self.depth.set(self.depth.get() - 1);
        answer
    }

    /// The one output of a filter that has one.
    fn one(&self, filter: &'d Filter, bound: Bindings<'_, 'd>, input: &Value<'d>) -> Answer<Value<'d>> {
        match &filter.term {
            Term::Id => Ok(input.clone()),
            Term::Null => Ok(Value::Null),
            Term::Boolean(value) => Ok(Value::Boolean(*value)),
            Term::Integer(integer) => Ok(Value::Integer(*integer)),
            Term::Text(text) => Ok(Value::text(text)),
            Term::Variable(outwards) => Ok(variable(bound, *outwards).clone()),
            Term::Array(None) => Ok(Value::array(Vec::new())),
            Term::Array(Some(of)) => Ok(Value::array(self.all(of, bound, input)?)),
            Term::Object(parts) => self.object(parts, bound, input),
            Term::Path(of, steps) => self.path(of, steps, bound, input),
            Term::Pipe(l, r) => self.one(r, bound, &self.one(l, bound, input)?),
            Term::Bind(l, r) => {
                let value = self.one(l, bound, input)?;
                self.one(r, Some(&Binding { value: &value, outer: bound }), input)
            }
            Term::Alternative(l, r) => match self.one(l, bound, input) {
                Ok(value) if !value.is_true() => self.one(r, bound, input),
                answer => answer,
            },
            Term::Logic(..) | Term::Compare(..) | Term::Is(..) => {
                Ok(Value::Boolean(self.is_true(filter, bound, input)?))
            }
            Term::Plus(l, r) => self.one(l, bound, input)?.plus(self.one(r, bound, input)?),
            Term::If(condition, then, otherwise) => {
                let branch = if self.is_true(condition, bound, input)? { then } else { otherwise };
                self.one(branch, bound, input)
            }
            Term::Call(index) => self.called(*index, |body| self.one(body, None, input)),
            Term::Any(of, looked_for, is) => self.any(of, *looked_for, is, bound, input),
            Term::Update(..) | Term::Delete(_) | Term::MapValues(_) | Term::WithEntries(_) => {
                self.changed(&filter.term, bound, input)
            }
            Term::ToEntries => functions::to_entries(input),
            Term::Function(function) => function.of(input),
            Term::OfTexts(function, other) => function.of(input, &self.one(other, bound, input)?),
            Term::Matches(regex) => Ok(Value::Boolean(regex.is_match(input.as_text()?))),
            Term::Replace { regex, is_global, with } => functions::replace(input, regex, *is_global, with),
            Term::Empty | Term::Comma(..) | Term::Range(..) => unreachable!("it has not always one output"),
        }
    }

    fn object(
        &self,
        parts: &'d [(Filter, Filter)],
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
    ) -> Answer<Value<'d>> {
        let mut members = Members::with_capacity(parts.len());
        for (name, value) in parts {
            let name = self.one(name, bound, input)?.into_text()?;
            insert(&mut members, name, self.one(value, bound, input)?)?;
        }
        Ok(Value::object(members))
    }

    fn is_true(&self, filter: &'d Filter, bound: Bindings<'_, 'd>, input: &Value<'d>) -> Answer<bool> {
        match &filter.term {
            Term::Logic(l, decides, r) => {
                let is = self.is_true(l, bound, input)?;
                if is == *decides { Ok(is) } else { self.is_true(r, bound, input) }
            }
            Term::Compare(l, op, r) => {
                functions::compare(*op, &self.one(l, bound, input)?, &self.one(r, bound, input)?)
            }
            Term::Is(of, is, what) => Ok(functions::is(&self.one(of, bound, input)?, what) == *is),
            _ => Ok(self.one(filter, bound, input)?.is_true()),
        }
    }

    /// A path without `[]` and `?`.
    fn path(
        &self,
        of: &'d Filter,
        steps: &'d [Step],
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
    ) -> Answer<Value<'d>> {
        let Some((first, rest)) = steps.split_first() else { return self.one(of, bound, input) };
        let mut value = match &of.term {
            Term::Id => self.step_into(first, input, bound, input),
            Term::Variable(outwards) => self.step_into(first, variable(bound, *outwards), bound, input),
            _ => self.step_into(first, &self.one(of, bound, input)?, bound, input),
        };
        for step in rest {
            value = self.step_into(step, &value?, bound, input);
        }
        value
    }

    fn step_into(
        &self,
        step: &'d Step,
        value: &Value<'d>,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
    ) -> Answer<Value<'d>> {
        let key = step.key.as_ref().ok_or(Unsure)?;
        match &key.term {
            Term::Text(name) => value.member(name),
            _ => value.index(&self.one(key, bound, input)?),
        }
    }

    fn all(&self, filter: &'d Filter, bound: Bindings<'_, 'd>, input: &Value<'d>) -> Answer<Vec<Value<'d>>> {
        let mut all = Vec::new();
        self.each(filter, bound, input, &mut |value| {
            all.push(value);
            Ok(())
        })?;
        Ok(all)
    }

    /// Gives each output in turn.
    pub(super) fn each(
        &self,
        filter: &'d Filter,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
        out: Output<'_, 'd>,
    ) -> Answer<()> {
        if filter.is_single {
            return out(self.one(filter, bound, input)?);
        }
        match &filter.term {
            Term::Empty => Ok(()),
            Term::Range(from, to) => (*from..*to).try_for_each(|integer| {
                self.step()?;
                out(Value::Integer(integer))
            }),
            Term::Object(parts) => self.objects(parts, &Members::new(), bound, input, out),
            Term::Path(of, steps) => {
                self.each(of, bound, input, &mut |value| self.steps(steps, value, bound, input, out))
            }
            Term::Pipe(l, r) => self.each(l, bound, input, &mut |value| self.each(r, bound, &value, out)),
            Term::Comma(l, r) => {
                self.each(l, bound, input, out)?;
                self.each(r, bound, input, out)
            }
            Term::Bind(l, r) => self.each(l, bound, input, &mut |value| {
                self.each(r, Some(&Binding { value: &value, outer: bound }), input, out)
            }),
            Term::Alternative(l, r) => {
                let mut is_there = false;
                self.each(l, bound, input, &mut |value| {
                    if value.is_true() {
                        is_there = true;
                        out(value)?;
                    }
                    Ok(())
                })?;
                if is_there { Ok(()) } else { self.each(r, bound, input, out) }
            }
            Term::Logic(l, decides, r) => self.each(l, bound, input, &mut |l| {
                if l.is_true() == *decides {
                    return out(Value::Boolean(*decides));
                }
                self.each(r, bound, input, &mut |r| out(Value::Boolean(r.is_true())))
            }),
            Term::Plus(l, r) => self.pairs(l, r, bound, input, &mut |l, r| out(l.clone().plus(r)?)),
            Term::Compare(l, op, r) => self
                .pairs(l, r, bound, input, &mut |l, r| out(Value::Boolean(functions::compare(*op, l, &r)?))),
            Term::Is(of, is, what) => self
                .each(of, bound, input, &mut |value| out(Value::Boolean(functions::is(&value, what) == *is))),
            Term::If(condition, then, otherwise) => self.each(condition, bound, input, &mut |condition| {
                self.each(if condition.is_true() { then } else { otherwise }, bound, input, out)
            }),
            Term::Call(index) => self.called(*index, |body| self.each(body, None, input, out)),
            _ => unreachable!("it always has one output"),
        }
    }

    fn pairs(
        &self,
        l: &'d Filter,
        r: &'d Filter,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
        out: &mut dyn FnMut(&Value<'d>, Value<'d>) -> Answer<()>,
    ) -> Answer<()> {
        self.each(l, bound, input, &mut |l| self.each(r, bound, input, &mut |r| out(&l, r)))
    }

    /// Objects of all outputs of all parts, the first varying last.
    fn objects(
        &self,
        parts: &'d [(Filter, Filter)],
        made: &Members<'d>,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
        out: Output<'_, 'd>,
    ) -> Answer<()> {
        let Some(((name, value), rest)) = parts.split_first() else {
            return out(Value::object(made.clone()));
        };
        self.pairs(name, value, bound, input, &mut |name, value| {
            let mut made = made.clone();
            insert(&mut made, name.clone().into_text()?, value)?;
            self.objects(rest, &made, bound, input, out)
        })
    }

    fn steps(
        &self,
        steps: &'d [Step],
        value: Value<'d>,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
        out: Output<'_, 'd>,
    ) -> Answer<()> {
        let Some((step, rest)) = steps.split_first() else { return out(value) };
        if let Some(key) = &step.key {
            if step.is_optional && value.has_no_index(&self.one(key, bound, input)?) {
                return Ok(());
            }
            return self.steps(rest, self.step_into(step, &value, bound, input)?, bound, input, out);
        }
        match value.children() {
            Some(children) => children.into_iter().try_for_each(|child| {
                self.step()?;
                self.steps(rest, child, bound, input, out)
            }),
            None if step.is_optional => Ok(()),
            None => Err(Unsure),
        }
    }

    fn any(
        &self,
        of: &'d Filter,
        looked_for: bool,
        is: &'d Filter,
        bound: Bindings<'_, 'd>,
        input: &Value<'d>,
    ) -> Answer<Value<'d>> {
        let mut is_found = false;
        self.each(of, bound, input, &mut |value| {
            is_found |= self.is_true(is, bound, &value)? == looked_for;
            Ok(())
        })?;
        Ok(Value::Boolean(is_found == looked_for))
    }

    fn changed(&self, term: &'d Term, bound: Bindings<'_, 'd>, input: &Value<'d>) -> Answer<Value<'d>> {
        match term {
            Term::Update(names, change, by) => {
                let by: &'d Part = by;
                if *change == Change::By {
                    return update(input, names, &mut |old| self.one(by, bound, &old).map(Some));
                }
                let value = self.one(by, bound, input)?;
                update(input, names, &mut |old| {
                    Ok(Some(match change {
                        Change::Plus => old.plus(value.clone())?,
                        Change::Else if old.is_true() => old,
                        Change::By | Change::To | Change::Else => value.clone(),
                    }))
                })
            }
            Term::Delete(names) => update(input, names, &mut |_| Ok(None)),
            Term::MapValues(by) => {
                if let Ok(items) = input.items() {
                    let item = |item| self.step().and_then(|()| self.one(by, bound, item));
                    return Ok(Value::array(items.iter().map(item).collect::<Answer<_>>()?));
                }
                let members = input.members()?;
                let member = |(name, value): &(Text<'d>, Value<'d>)| {
                    self.step()?;
                    Ok((name.clone(), self.one(by, bound, value)?))
                };
                Ok(Value::object(members.iter().map(member).collect::<Answer<_>>()?))
            }
            Term::WithEntries(by) => {
                let mut members = Members::new();
                for (name, value) in input.members()?.iter() {
                    self.step()?;
                    let entry = functions::entry(name.clone(), value.clone());
                    self.each(by, bound, &entry, &mut |entry| {
                        let name = entry.get("key").ok_or(Unsure)?.into_text()?;
                        insert(&mut members, name, entry.get("value").unwrap_or(Value::Null))
                    })?;
                }
                Ok(Value::object(members))
            }
            _ => unreachable!("it changes nothing"),
        }
    }
}

fn variable<'e, 'd>(bound: Bindings<'e, 'd>, outwards: usize) -> &'e Value<'d> {
    let mut binding = bound.expect("it is bound");
    for _ in 0..outwards {
        binding = binding.outer.expect("it is bound");
    }
    binding.value
}

/// The object with what `change` makes of a member, or without it. One that is not there is null.
fn update<'d>(
    value: &Value<'d>,
    names: &'d [Box<str>],
    change: &mut dyn FnMut(Value<'d>) -> Answer<Option<Value<'d>>>,
) -> Answer<Value<'d>> {
    let Some((name, rest)) = names.split_first() else { return change(value.clone())?.ok_or(Unsure) };
    let mut members = (*value.members()?).clone();
    let at = find(&members, name);
    let old = at.map_or(Value::Null, |at| members[at].1.clone());
    let new = if rest.is_empty() { change(old)? } else { Some(update(&old, rest, change)?) };
    match (at, new) {
        (Some(at), Some(new)) => members[at].1 = new,
        // As jq's interpreter does, which takes no time for order.
        (Some(at), None) => _ = members.swap_remove(at),
        (None, Some(new)) => insert(&mut members, Text::Given(name), new)?,
        (None, None) => {}
    }
    Ok(Value::object(members))
}
