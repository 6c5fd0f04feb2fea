// A button with data-confirm asks its question before its form is sent, and so does an action of a list
// for which a [data-action] holds one.
document.addEventListener("click", (event) => {
  const button = event.target.closest('[data-confirm], .actions [name="index"]');
  const question = button && (button.dataset.confirm ?? ofAction(button.form));
  if (question && !window.confirm(question)) event.preventDefault();
});

// Without a chosen row there is nothing to ask for: Django says so.
function ofAction(list) {
  const question = document.querySelector(`[data-action="${list.elements.action.value}"]`);
  return list.querySelector(".action-select:checked") ? question?.dataset.question : "";
}
