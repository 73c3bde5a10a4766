import { type ComponentProps, type FormEvent, useEffect, useId, useState } from "react";
import { createEntry, createProject, createTask, listProjects, listTasks, type Project, type Task } from "./api";
import { clock, endOf } from "./days";

interface Props {
  date: string;
  /** When the day's last entry ended, which is when the next one most likely starts. */
  startAfter: string | null;
  onAdded: () => void;
}

const EMPTY = { project: "", task: "", start: "", end: "", note: "" };

export function EntryForm({ date, startAfter, onAdded }: Props) {
  const [fields, setFields] = useState(EMPTY);
  const [known, setKnown] = useState<{ projects: Project[]; tasks: Task[] }>({ projects: [], tasks: [] });
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const id = useId();

  useEffect(() => {
    const abort = new AbortController();
    // Only suggestions: without them names can still be typed, and the day itself says what is wrong.
    loadKnown(abort.signal).then(setKnown, () => undefined);
    return () => abort.abort();
  }, []);

  const start = fields.start || (startAfter?.startsWith(date) ? clock(startAfter) : "09:00");
  const project = named(known.projects, fields.project);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      const task = await findOrCreateTask(fields.project.trim(), fields.task.trim());
      const ended_at = fields.end ? endOf(date, start, fields.end) : null;
      await createEntry({ task, started_at: `${date}T${start}`, ended_at, note: fields.note.trim() });
      setFields({ ...EMPTY, project: fields.project, task: fields.task });
      onAdded();
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
      loadKnown().then(setKnown, () => undefined);
    }
  };

  const field = (name: keyof typeof EMPTY, label: string, more: ComponentProps<"input"> = {}) => (
    <label className={name}>
      {label}
      <input value={fields[name]} onChange={({ target }) => setFields({ ...fields, [name]: target.value })} {...more} />
    </label>
  );

  return (
    <form className="card" onSubmit={submit} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Add an entry</h2>
      {field("project", "Project", { required: true, maxLength: 100, list: `${id}-projects`, autoComplete: "off" })}
      {field("task", "Task", { required: true, maxLength: 100, list: `${id}-tasks`, autoComplete: "off" })}
      {field("start", "Start", { required: true, type: "time", value: start })}
      {field("end", "End", { type: "time", title: "Empty while it is running; before the start: on the next day" })}
      {field("note", "Note", { maxLength: 500 })}
      <button className="primary" disabled={busy}>
        {busy ? "Adding…" : "Add entry"}
      </button>
      {problem && <p className="problem" role="alert">{problem}</p>}
      <Suggestions id={`${id}-projects`} names={known.projects.filter(({ archived }) => !archived)} />
      <Suggestions id={`${id}-tasks`} names={known.tasks.filter((task) => task.project === project?.id)} />
    </form>
  );
}

function Suggestions({ id, names }: { id: string; names: readonly { id: number; name: string }[] }) {
  return (
    <datalist id={id}>
      {names.map((item) => (
        <option key={item.id} value={item.name} />
      ))}
    </datalist>
  );
}

async function loadKnown(signal?: AbortSignal) {
  const [projects, tasks] = await Promise.all([listProjects(signal), listTasks(signal)]);
  return { projects, tasks };
}

/** The id of a task, asking afresh first: another page may have made it since this one was loaded. */
async function findOrCreateTask(projectName: string, taskName: string): Promise<number> {
  const { projects, tasks } = await loadKnown();
  const project = named(projects, projectName) ?? (await createProject(projectName));
  const own = tasks.filter((task) => task.project === project.id);
  return (named(own, taskName) ?? (await createTask(project.id, taskName))).id;
}

function named<T extends { name: string }>(items: readonly T[], name: string): T | undefined {
  return items.find((item) => item.name.toLowerCase() === name.trim().toLowerCase());
}
