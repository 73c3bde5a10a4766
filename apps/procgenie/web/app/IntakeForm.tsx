"use client";

import { type FieldErrors, parseNewPurchaseRequest } from "@procgenie/shared-types";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";

import { parseCents } from "../lib/money";

export function IntakeForm() {
  const router = useRouter();
  const [errors, setErrors] = useState<FieldErrors>({});
  const [trouble, setTrouble] = useState("");

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const parsed = parseNewPurchaseRequest({
      title: data.get("title"),
      department: data.get("department"),
      amountCents: parseCents(String(data.get("amount"))),
    });
    setErrors(parsed.ok ? {} : parsed.errors);
    setTrouble("");
    if (!parsed.ok) return;
    try {
      const answer = await fetch("/api/v1/requests", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(parsed.value),
      });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      form.reset();
      router.refresh();
    } catch (error) {
      setTrouble(`Not sent: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <label>
        What <input name="title" placeholder="Standing desk" />
        <em>{errors.title}</em>
      </label>
      <label>
        Department <input name="department" placeholder="Office" />
        <em>{errors.department}</em>
      </label>
      <label>
        Amount <input name="amount" inputMode="decimal" placeholder="499.00" />
        <em>{errors.amountCents && "an amount such as 499.00"}</em>
      </label>
      <button type="submit">Submit</button>
      <output>{trouble}</output>
    </form>
  );
}
