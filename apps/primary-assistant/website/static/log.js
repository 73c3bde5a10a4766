// Sends the form to the API and shows the week anew.
const form = document.getElementById("log");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = form.querySelector("output");
  const workout = Object.fromEntries(new FormData(form));
  workout.minutes = Number(workout.minutes);
  try {
    const answer = await fetch("/api/workouts", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(workout),
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    const told = await answer.json();
    message.value = told.errors
      ? Object.entries(told.errors).map(([name, text]) => `${name} ${text}`).join("; ")
      : told.error;
  } catch {
    message.value = "The server could not be reached.";
  }
});
